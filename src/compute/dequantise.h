#pragma once

#include <cstddef>
#include <span>

#include "compute/dtype.h"

namespace feilun::compute {

/// Stored numbers as floats, of every type in DType: `bytes` holds whole blocks, `out` exactly their
/// elements. Equal to ggml's to the bit: one multiplication by the scale (and, where a type has a minimum,
/// one addition after it), each rounded to F32. Any bytes are good; a scale that is no number gives numbers
/// that are none.
void dequantise(DType type, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace feilun::compute
