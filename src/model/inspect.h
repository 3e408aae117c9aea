#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "model/model_file.h"

namespace feilun::model {

/// What can be said of a model's files without loading them.
struct Inspection {
  std::string name;
  std::string format;
  std::string architecture;
  std::string tokenizer;  ///< "byte-level BPE (qwen2), 151936 tokens"
  Hyperparameters shape;  ///< as far as it could be read
  int64_t parameters = 0;
  int64_t weight_bytes = 0;        ///< as stored
  int64_t loaded_bytes = 0;        ///< once loaded, without --quant; 0: it does not load
  int64_t resident_bytes = 0;      ///< of a server with this model alone before its cache fills, within 5%
  int64_t kv_bytes_per_token = 0;  ///< with a bf16 cache; 0: it keeps none
  Pooling pooling = Pooling::kNone;
  std::map<std::string, int64_t> tensors_by_type;  ///< "Q8_0" → tensors
  bool has_chat_template = false;
  std::string chat_template_error;  ///< why the template cannot be used; empty: it can, or there is none
  std::string refusal;              ///< why open_model refuses the model; empty: it opens
};

/// Reads what it can. A model that would be refused is described with the reason; an Error is for a path that
/// is no model at all.
Result<Inspection> inspect_model(const std::filesystem::path& path);

/// The same of a GGUF that lies in memory.
Result<Inspection> inspect_model_bytes(std::span<const std::byte> gguf);

/// Lines of text for a terminal.
std::string describe(const Inspection& inspection);

}  // namespace feilun::model
