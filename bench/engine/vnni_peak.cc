// How many int8 operations a second this machine can do at most, a multiplication and an addition being two:
// sixteen independent chains of the widest dot product (AVX-512 VNNI, else AVX-VNNI), in registers alone, on
// each of N pinned threads at once. The best of some tries, since what disturbs can only slow it down.
//
//   vnni_peak THREADS          prints {"peak":"avx512_vnni","operations_per_second":…}
#include <fmt/format.h>
#include <immintrin.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kChains = 16;
constexpr int64_t kSteps = 4'000'000;
constexpr int kTries = 12;

std::atomic<int> sink = 0;

__attribute__((target("avx512f,avx512vnni"))) void dot_512() {
  __m512i sums[kChains] = {};
  const __m512i a = _mm512_set1_epi32(sink + 1);
  const __m512i b = _mm512_set1_epi32(sink + 2);
  for (int64_t i = 0; i < kSteps; ++i) {
#pragma clang loop unroll(full)
    for (int c = 0; c < kChains; ++c) sums[c] = _mm512_dpbusd_epi32(sums[c], a, b);
  }
  __m512i total = sums[0];
  for (int c = 1; c < kChains; ++c) total = _mm512_add_epi32(total, sums[c]);
  if (_mm512_reduce_add_epi32(total) == 1) ++sink;
}

__attribute__((target("avx2,avxvnni"))) void dot_256() {
  constexpr int kChains256 = 12;  // sixteen registers hold these, the operands and a spare
  __m256i sums[kChains256] = {};
  const __m256i a = _mm256_set1_epi32(sink + 1);
  const __m256i b = _mm256_set1_epi32(sink + 2);
  for (int64_t i = 0; i < kSteps; ++i) {
#pragma clang loop unroll(full)
    for (int c = 0; c < kChains256; ++c) sums[c] = _mm256_dpbusd_avx_epi32(sums[c], a, b);
  }
  __m256i total = sums[0];
  for (int c = 1; c < kChains256; ++c) total = _mm256_add_epi32(total, sums[c]);
  if (_mm256_extract_epi32(total, 0) == 1) ++sink;
}

void pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

/// Seconds until all threads have run `work` once, from when all were ready.
double seconds_together(int threads, void (*work)()) {
  std::atomic<int> ready = 0;
  std::atomic<bool> go = false;
  std::vector<std::thread> team;
  for (int i = 0; i < threads; ++i) {
    team.emplace_back([&, i] {
      pin(i);
      ++ready;
      while (!go) _mm_pause();
      work();
    });
  }
  while (ready < threads) std::this_thread::yield();
  const auto start = Clock::now();
  go = true;
  for (std::thread& thread : team) thread.join();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : static_cast<int>(std::thread::hardware_concurrency());
  const bool wide = __builtin_cpu_supports("avx512vnni");
  if (!wide && !__builtin_cpu_supports("avxvnni")) {
    fmt::print("{{\"peak\":\"none\",\"operations_per_second\":0}}\n");
    return 0;
  }
  double best = 1e9;
  for (int i = 0; i < kTries; ++i) best = std::min(best, seconds_together(threads, wide ? dot_512 : dot_256));
  const double operations = 2.0 * (wide ? 64.0 * kChains : 32.0 * 12) * kSteps * threads;
  fmt::print("{{\"peak\":\"{}\",\"operations_per_second\":{:.4g}}}\n", wide ? "avx512_vnni" : "avx_vnni",
             operations / best);
}
