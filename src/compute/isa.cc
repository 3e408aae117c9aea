#include "compute/isa.h"

#include <array>
#include <cstdlib>

namespace feilun::compute {
namespace {

constexpr std::array kBestFirst = {Isa::kAvx512, Isa::kAvxVnni, Isa::kAvx2, Isa::kScalar};

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvxVnni:
      return "avxvnni";
    case Isa::kAvx512:
      return "avx512";
  }
  return "unknown";
}

bool machine_has(Isa isa) {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi2");
  if (isa == Isa::kAvx2) return avx2;
  if (isa == Isa::kAvxVnni) return avx2 && __builtin_cpu_supports("avxvnni");
  if (isa == Isa::kAvx512) {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
  }
#endif
  return isa == Isa::kScalar;
}

Isa best_isa() {
  for (const Isa isa : kBestFirst) {
    if (machine_has(isa)) return isa;
  }
  return Isa::kScalar;
}

Result<Isa> choose_isa() {
  const char* wanted = std::getenv("FEILUN_ISA");
  if (wanted == nullptr || *wanted == '\0') return best_isa();
  for (const Isa isa : kBestFirst) {
    if (isa_name(isa) == wanted) {
      if (machine_has(isa)) return isa;
      return fail(ErrorCode::kUnsupported, "FEILUN_ISA={}: this machine does not have these instructions",
                  wanted);
    }
  }
  return fail(ErrorCode::kInvalidArgument, "FEILUN_ISA={}: must be scalar, avx2, avxvnni or avx512", wanted);
}

}  // namespace feilun::compute
