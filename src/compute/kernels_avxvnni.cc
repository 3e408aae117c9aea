#if defined(__x86_64__)
#define FEILUN_ISA_NAMESPACE avxvnni
#endif
#include "compute/kernels_body.h"

namespace feilun::compute {

const Kernels& kernels_avxvnni() {
  return FEILUN_ISA_NAMESPACE::kKernels;
}

}  // namespace feilun::compute
