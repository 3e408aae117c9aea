#include "compute/kernels.h"

#include "base/check.h"
#include "compute/isa.h"

namespace feilun::compute {

const Kernels& kernels_for(Isa isa) {
  CHECK(machine_has(isa));
  switch (isa) {
    case Isa::kAvx512:
      return kernels_avx512();
    case Isa::kAvxVnni:
      return kernels_avxvnni();
    case Isa::kAvx2:
      return kernels_avx2();
    case Isa::kScalar:
      break;
  }
  return kernels_scalar();
}

const Kernels& machine_kernels() {
  return kernels_for(choose_isa().value_or(best_isa()));
}

}  // namespace feilun::compute
