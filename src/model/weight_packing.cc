#include "model/weight_packing.h"

#include "compute/weight_matrix.h"

namespace feilun::model {
namespace {

using compute::DType;

bool is_float(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

/// Where a quantised type loses least.
DType nearest_packed(DType stored) {
  if (compute::can_pack(stored)) return stored;
  if (stored == DType::kQ4_K) return DType::kQ4_1;
  return stored == DType::kQ5_K ? DType::kQ5_1 : DType::kQ8_0;
}

}  // namespace

DType packed_type(DType stored, int64_t depth, MatrixUse use, WeightConversion conversion) {
  if (conversion == DType::kF32) return DType::kF32;
  const bool layer = use == MatrixUse::kLayer;
  if (!is_float(stored)) {
    const DType nearest = nearest_packed(stored);
    return conversion == DType::kW8 && layer && nearest == DType::kQ8_0 ? DType::kW8 : nearest;
  }
  if (!conversion.has_value()) return stored;
  if (depth % compute::packed_group(*conversion) != 0) return DType::kF32;
  return layer ? *conversion : DType::kQ8_0;
}

}  // namespace feilun::model
