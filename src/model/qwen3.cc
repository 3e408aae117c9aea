#include "model/qwen3.h"

#include <cmath>

namespace feilun::model {

Result<DecoderDesign> qwen3_design(const ModelFile& file) {
  const Hyperparameters& shape = file.shape;
  DecoderDesign design;
  design.qk_norm = true;
  design.rope_neighbours = shape.rope_pairs == RopePairs::kNeighbours;
  design.inverse_frequencies = rope_inverse_frequencies(shape.rope_base, shape.head_dim);
  design.score_factor = 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
  return design;
}

}  // namespace feilun::model
