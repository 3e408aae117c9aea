#if defined(__x86_64__)
#define FEILUN_ISA_NAMESPACE avx2
#endif
#include "compute/kernels_body.h"

namespace feilun::compute {

const Kernels& kernels_avx2() {
  return FEILUN_ISA_NAMESPACE::kKernels;
}

}  // namespace feilun::compute
