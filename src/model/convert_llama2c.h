#pragma once

#include <filesystem>
#include <span>

#include "model/model_file_parts.h"

namespace feilun::model {

/// Reads llama2.c's first checkpoint format and its tokenizer: seven 32-bit numbers, then F32 tensors in a
/// fixed order, each kind for all layers together.
Result<ModelParts> read_llama2c_model(const std::filesystem::path& checkpoint,
                                      const std::filesystem::path& tokenizer);

/// The shape and the tensors of a checkpoint in memory. The views point into `bytes`.
struct Llama2cCheckpoint {
  Hyperparameters shape;
  std::vector<TensorView> tensors;
};
Result<Llama2cCheckpoint> parse_llama2c_checkpoint(std::span<const std::byte> bytes);

/// A tokenizer of `vocabulary` tokens: a 32-bit number, then score, length and bytes of each token.
Result<TokenizerSpec> parse_llama2c_tokenizer(std::span<const std::byte> bytes, int vocabulary);

}  // namespace feilun::model
