#define FEILUN_ISA_NAMESPACE scalar
#include "compute/kernels_body.h"

namespace feilun::compute {

const Kernels& kernels_scalar() {
  return scalar::kKernels;
}

}  // namespace feilun::compute
