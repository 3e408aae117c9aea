#pragma once

#include <vector>

#include "base/result.h"
#include "model/model_file.h"

namespace feilun::model {

/// What an architecture decides about the shared decoder body (decoder.h): the rest of a decoder of this kind
/// is the same for all of them. Each architecture has a file that fills this in.
struct DecoderDesign {
  bool qk_norm = false;                    ///< RMS norm of every query and key head before RoPE
  bool rope_neighbours = false;            ///< pairs (0,1), (2,3)…; else (0,D/2)…
  std::vector<float> inverse_frequencies;  ///< head_dim / 2: radians per position of each pair
  float score_factor = 1.0f;               ///< of q·k
};

/// The design of a model file. kUnsupported for an architecture without a file here, or a shape that the
/// kernels do not take.
Result<DecoderDesign> decoder_design(const ModelFile& file);

/// base^(−2i/D), i = 0 … D/2 − 1, in the precision that Hugging Face's models were trained with.
std::vector<float> rope_inverse_frequencies(float base, int head_dim);

}  // namespace feilun::model
