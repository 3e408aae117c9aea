#pragma once

#include <cstdint>

namespace feilun::engine {

/// The random number that chooses one token, uniform in [0, 1). It is a function of where the token stands
/// and of nothing else: no generator is advanced, so neither batching, nor preemption, nor a speculated and
/// discarded token can change what a seed gives.
///
/// A counter goes through a mixing function with full avalanche, once per coordinate. The mixer is the
/// finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
inline double noise(uint64_t seed, uint64_t choice, uint64_t position) {
  constexpr uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;
  const auto mix = [](uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  };
  uint64_t x = mix(seed + kGoldenRatio);
  x = mix(x + (choice + 1) * kGoldenRatio);
  x = mix(x + (position + 1) * kGoldenRatio);
  return static_cast<double>(x >> 11) * 0x1p-53;
}

}  // namespace feilun::engine
