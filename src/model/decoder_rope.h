#pragma once

#include <vector>

#include "base/result.h"
#include "model/model_file.h"

namespace feilun::model {

/// RoPE of a model: each pair of a head's elements turns by its frequency at every position.
struct Rope {
  std::vector<float> frequencies;  ///< radians per position of each pair; elements beyond the pairs stay
  float magnitude = 1.0f;          ///< that a turned pair is multiplied by
};

/// base^(−2i/D), i = 0 … D/2 − 1, D the turned elements of a head, changed by the model's scaling and by the
/// divisors of "rope_freqs.weight" where there are some. In the precision that Hugging Face's models were
/// trained with.
///
///   linear  every frequency is divided by the factor
///   llama3  those that turn less often than low_frequency in the original window are divided; those that
///   turn
///           more often than high_frequency stay; in between, the mean of both by where it lies between them
///   yarn    the same with a ramp over the pairs from the one that turns fast_turns times to that which turns
///           slow_turns times; what is turned grows by 0.1·ln(factor) + 1
Result<Rope> decoder_rope(const ModelFile& file);

}  // namespace feilun::model
