#pragma once

#include <cstdint>
#include <optional>

#include "compute/dtype.h"

/// Which type a stored matrix has in memory. Kernels multiply F32, F16, BF16, Q8_0, Q4_0, Q4_1 and Q5_1; the
/// other types of a GGUF become the nearest of these while loading (docs/formats/weights.md has the measured
/// error).

namespace feilun::model {

/// What to make of stored matrices: a type, or nothing to keep each as near as can be to what is stored.
using WeightConversion = std::optional<compute::DType>;

/// The output matrix is treated apart: every error there lands in a logit.
enum class MatrixUse { kLayer, kOutput };

/// The packed type of a matrix of `depth` weights a column:
///
///   stored              nothing    q8_0       q4_0                    w8a8                  f32
///   F32, F16, BF16      as stored  Q8_0       Q4_0, the output Q8_0   W8, the output Q8_0   F32
///   Q8_0                as stored  as stored  as stored               W8, the output Q8_0   F32
///   Q4_0, Q4_1, Q5_1    as stored  as stored  as stored               as stored             F32
///   Q4_K, Q5_K          Q4_1, Q5_1 in all four                                              F32
///   Q5_0, Q6_K          Q8_0       Q8_0       Q8_0                    W8, the output Q8_0   F32
///
/// A float matrix whose depth is no multiple of 32 becomes F32 where codes are asked for. A quantised
/// one never becomes Q4_0: rounding to four bits twice would lose more than was asked for.
compute::DType packed_type(compute::DType stored, int64_t depth, MatrixUse use, WeightConversion conversion);

}  // namespace feilun::model
