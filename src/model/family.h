#pragma once

#include <cmath>
#include <span>
#include <string_view>

#include "base/result.h"
#include "model/gguf_settings.h"
#include "model/hugging_face_json.h"
#include "model/model_file.h"

/// Decoders of all families share one body (decoder.h). What sets a family apart is data: a row of facts, and
/// two functions that read those settings of its files that not all families have. Each has a file of its
/// own; families.cc lists them.

namespace feilun::model {

/// A tensor of a layer: what follows "model.layers.N." in Hugging Face's files and "blk.N." in GGUF's.
struct LayerTensorName {
  std::string_view hugging_face;
  std::string_view gguf;
};

struct Family {
  std::string_view name;          ///< GGUF's general.architecture
  std::string_view hugging_face;  ///< in config.json's architectures
  RopePairs gguf_pairs = RopePairs::kHalves;
  RopePairs hugging_face_pairs = RopePairs::kHalves;
  bool qk_norm = false;
  bool post_norms = false;
  bool norms_less_one = false;     ///< Hugging Face's files hold the weights of norms less one
  bool gelu = false;               ///< the gate passes GELU in its tanh form, else SiLU
  bool scales_embeddings = false;  ///< by √hidden
  bool ties_embeddings = false;    ///< where config.json does not say
  std::string_view activation_key = "hidden_act";
  float norm_epsilon = 1e-6f;                          ///< where config.json does not say
  int head_dim = 0;                                    ///< where config.json does not say; 0: hidden / heads
  float rotary_part = 1.0f;                            ///< of a head, where config.json does not say
  std::span<const LayerTensorName> tensor_names = {};  ///< before those that most families use
  /// Read what the family's files say besides what all say. `shape` has the rest already.
  Result<> (*read_config)(const HuggingFaceObject& config, Hyperparameters& shape) = nullptr;
  Result<> (*read_gguf)(const GgufSettings& settings, Hyperparameters& shape) = nullptr;
};

const Family& llama_family();
const Family& mistral_family();
const Family& qwen2_family();
const Family& qwen3_family();
const Family& qwen3moe_family();
const Family& glm4_family();
const Family& gemma2_family();
const Family& phi3_family();

/// By GGUF's name, or by Hugging Face's. kUnsupported, with the names of those there are.
Result<const Family*> find_family(std::string_view name);
Result<const Family*> find_hugging_face_family(std::string_view name);

/// GGUF's name of a Hugging Face tensor; a name that has none stays, and is refused when the tensors are
/// checked.
std::string gguf_tensor_name(const Family& family, std::string_view name);

/// attention_bias: on queries, keys, values and the attention's output.
Result<> read_attention_bias(const HuggingFaceObject& config, Hyperparameters& shape);
/// Each layer's window where config.json lists the layers' types ("full_attention", "sliding_attention").
/// Without a list it is `otherwise(layer)` that tells which have one.
Result<> read_windows(const HuggingFaceObject& config, int window, bool (*otherwise)(int layer),
                      Hyperparameters& shape);
/// The same window for every layer; 0: none.
void set_windows(int window, Hyperparameters& shape);

}  // namespace feilun::model
