#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.h"
#include "compute/dtype.h"

/// Numbers to their stored form and back: the scalar reference that every kernel is checked against.

namespace feilun::compute {

/// True for the types that `quantise` and `dequantise` handle: F32, F16, BF16, Q8_0, Q4_0.
bool can_convert(DType type);

/// Writes `values` as `type`. `values` holds whole blocks; `out` has exactly the bytes they take.
/// Q8_0: d = amax/127, q = round(w/d). Q4_0: d = m/−8 where m is the value of largest magnitude with its
/// sign, q = min(15, trunc(w/d + 8.5)). Both divide by d before it is rounded to F16, as ggml does.
void quantise(DType type, std::span<const float> values, std::span<std::byte> out);

/// The reverse: `bytes` holds whole blocks, `out` exactly their elements. Equal to ggml's to the bit.
void dequantise(DType type, std::span<const std::byte> bytes, std::span<float> out);

/// Bytes that `elements` numbers take; `elements` is a multiple of the type's block.
size_t stored_bytes(DType type, int64_t elements);

}  // namespace feilun::compute
