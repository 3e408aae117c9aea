#pragma once

#include <string_view>

#include "base/result.h"

namespace feilun::compute {

/// The instruction sets that the kernels are compiled for. Each needs a superset of the one before it.
enum class Isa {
  kScalar,  ///< whatever the compiler's baseline is
  kAvx2,    ///< with FMA, F16C, BMI2
  kAvx512,  ///< F, BW, VL, DQ, VNNI, BF16
};

std::string_view isa_name(Isa isa);
bool machine_has(Isa isa);
Isa best_isa();
/// The best one the machine has, or the one that $FEILUN_ISA names: scalar, avx2 or avx512. kInvalidArgument
/// for another name, kUnsupported when the machine lacks it.
Result<Isa> choose_isa();

}  // namespace feilun::compute
