#pragma once

#include <cstddef>
#include <span>

#include "compute/dequantise.h"
#include "compute/dtype.h"

namespace feilun::compute {

/// True for the types that `quantise` writes: F32, F16, BF16, Q8_0, Q4_0.
bool can_quantise(DType type);

/// Writes `values` as `type`: the scalar reference that every kernel is checked against. `values` holds whole
/// blocks; `out` has exactly the bytes they take.
/// Q8_0: d = amax/127, q = round(w/d). Q4_0: d = m/−8 where m is the value of largest magnitude with its
/// sign, q = min(15, trunc(w/d + 8.5)). Both divide by d before it is rounded to F16, as ggml does.
void quantise(DType type, std::span<const float> values, std::span<std::byte> out);

/// One scale for all: d = amax/127, q = round(w/d), both with d as it is returned. What is not finite gives
/// 0.
float quantise_together(std::span<const float> values, std::span<int8_t> q);

}  // namespace feilun::compute
