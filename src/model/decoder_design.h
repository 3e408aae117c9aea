#pragma once

#include <vector>

#include "base/result.h"
#include "model/decoder_rope.h"
#include "model/model_file.h"

namespace feilun::model {

/// How the shared decoder body (decoder.h) computes for one model: what its family decides (family.h), and
/// what follows from its numbers. Which tensors there are, the model's shape says.
struct DecoderDesign {
  bool gelu = false;  ///< the gate passes GELU in its tanh form, else SiLU
  float embedding_scale = 1.0f;
  Rope rope;
  bool rope_neighbours = false;  ///< pairs (0,1), (2,3)…; else (0,D/2)…
  float score_factor = 1.0f;     ///< of q·k
  float score_cap = 0.0f;        ///< c: a score s becomes c·tanh(s / c); 0: it stays
  float logit_cap = 0.0f;
  std::vector<int> windows;  ///< of each layer: tokens a query sees, itself the last; 0: all
  int experts_used = 0;      ///< by a token; 0: there is one feed-forward block for all
  bool expert_weights_normalised = true;
};

/// The design of a model file. kUnsupported for an architecture without a family, or a shape that the kernels
/// do not take.
Result<DecoderDesign> decoder_design(const ModelFile& file);

}  // namespace feilun::model
