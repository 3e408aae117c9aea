#include "model/decoder_design.h"

#include <cmath>

#include "compute/kernels.h"
#include "model/family.h"
#include "model/model_file_parts.h"

namespace feilun::model {
namespace {

Result<> check_kernel_shape(const Hyperparameters& shape) {
  if (const auto good = check_shape(shape); !good) {
    return fail(ErrorCode::kUnsupported, "{}", good.error().message);
  }
  if (shape.head_dim > compute::kHeadDimMax) {
    return fail(ErrorCode::kUnsupported, "heads of {} elements; at most {} are supported", shape.head_dim,
                compute::kHeadDimMax);
  }
  return {};
}

}  // namespace

Result<DecoderDesign> decoder_design(const ModelFile& file) {
  const Hyperparameters& shape = file.shape;
  const Family& family = *TRY(find_family(shape.architecture));
  TRY(check_kernel_shape(shape));
  DecoderDesign design;
  design.gelu = family.gelu;
  if (family.scales_embeddings) design.embedding_scale = std::sqrt(static_cast<float>(shape.hidden));
  design.rope = TRY(decoder_rope(file));
  design.rope_neighbours = shape.rope_pairs == RopePairs::kNeighbours;
  const float divisor = shape.score_divisor > 0 ? shape.score_divisor : static_cast<float>(shape.head_dim);
  design.score_factor = 1.0f / std::sqrt(divisor);
  design.score_cap = shape.score_cap;
  design.logit_cap = shape.logit_cap;
  design.windows = shape.windows;
  design.windows.resize(static_cast<size_t>(shape.layers), 0);
  if (shape.experts.count > 0) design.experts_used = shape.experts.used;
  design.expert_weights_normalised = shape.experts.normalised;
  return design;
}

}  // namespace feilun::model
