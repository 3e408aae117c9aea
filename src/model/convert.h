#pragma once

#include <filesystem>
#include <optional>

#include "compute/dtype.h"
#include "model/gguf_writer.h"

namespace feilun::model {

/// The type that "f32", "f16", "bf16", "q8_0" or "q4_0" names; kInvalidArgument for others.
Result<compute::DType> parse_quant_name(std::string_view name);

/// Writes llama2.c's checkpoint (.bin, the first format, F32) and its tokenizer (tok.bin) as a GGUF in F32.
Result<> convert_llama2c(const std::filesystem::path& checkpoint, const std::filesystem::path& tokenizer,
                         const std::filesystem::path& out, const WriteProgress& progress = {});

/// Writes a Hugging Face directory (or another GGUF) as a GGUF. `type` is for the matrices: as stored when it
/// is nullopt; a row that is no whole number of blocks becomes F16; vectors are F32. The file loads in other
/// GGUF readers: llama's Q and K rows are put into GGUF's order.
Result<> convert_model(const std::filesystem::path& model, std::optional<compute::DType> type,
                       const std::filesystem::path& out, const WriteProgress& progress = {});

}  // namespace feilun::model
