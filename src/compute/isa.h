#pragma once

#include <string_view>

#include "base/result.h"

namespace feilun::compute {

/// The instruction sets that the kernels are compiled for. Each needs a superset of the one before it.
enum class Isa {
  kScalar,   ///< whatever the compiler's baseline is
  kAvx2,     ///< with FMA, F16C, BMI2
  kAvxVnni,  ///< AVX2 and the dot product of bytes
  kAvx512,   ///< F, BW, VL, DQ, VNNI, BF16
};
inline constexpr Isa kAllIsas[] = {Isa::kScalar, Isa::kAvx2, Isa::kAvxVnni, Isa::kAvx512};

std::string_view isa_name(Isa isa);
bool machine_has(Isa isa);
/// The best one the machine has.
Isa best_isa();
/// The best one the machine has, or the one that $FEILUN_ISA names: scalar, avx2, avxvnni or avx512.
/// kInvalidArgument for another name, kUnsupported when the machine lacks it.
Result<Isa> choose_isa();

}  // namespace feilun::compute
