#pragma once

#include <cstdint>

namespace feilun::scheduler {

/// The two halves of a 128-bit product, one over the other: every bit of both factors reaches every bit.
inline uint64_t fold(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// A factor with bits in all places, for hashes.
inline constexpr uint64_t kOdd = 0xa0761d6478bd642f;

}  // namespace feilun::scheduler
