#include "model/llama.h"

#include <cmath>

#include "model/decoder_weights.h"

namespace feilun::model {

Result<DecoderDesign> llama_design(const ModelFile& file) {
  const Hyperparameters& shape = file.shape;
  DecoderDesign design;
  design.qk_norm = shape.qk_norm;
  design.rope_neighbours = shape.rope_pairs == RopePairs::kNeighbours;
  design.inverse_frequencies = rope_inverse_frequencies(shape.rope_base, shape.head_dim);
  design.score_factor = 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
  if (file.weights->find("rope_freqs.weight") != nullptr) {
    const std::vector<float> divisors =
        TRY(load_vector(*file.weights, "rope_freqs.weight", shape.head_dim / 2));
    for (size_t i = 0; i < divisors.size(); ++i) design.inverse_frequencies[i] /= divisors[i];
  }
  return design;
}

}  // namespace feilun::model
