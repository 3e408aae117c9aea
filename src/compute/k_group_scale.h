#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "compute/half.h"

namespace feilun::compute {

/// What the numbers q of one group of 32 in a Q4_K or Q5_K block stand for: scale·q − minimum.
struct KGroupScale {
  float scale;
  float minimum;
};

/// Eight scales and eight minima of six bits, for the groups 0…7, lie in twelve bytes after the block's own
/// F16 scale and minimum, which they multiply. The first four of each are the low six bits of bytes 0…3 and
/// 4…7; the last four have their low nibbles in bytes 8…11 and their two high bits on top of those first
/// ones.
inline KGroupScale k_group_scale(const std::byte* block, int group) {
  uint16_t halves[2];
  std::memcpy(halves, block, sizeof halves);
  const float d = f16_to_f32(halves[0]);
  const float dmin = f16_to_f32(halves[1]);
  const auto at = [&](int i) { return std::to_integer<int>(block[4 + i]); };
  if (group < 4) {
    return {d * static_cast<float>(at(group) & 63), dmin * static_cast<float>(at(group + 4) & 63)};
  }
  const int scale = (at(group + 4) & 15) | at(group - 4) >> 6 << 4;
  const int minimum = at(group + 4) >> 4 | at(group) >> 6 << 4;
  return {d * static_cast<float>(scale), dmin * static_cast<float>(minimum)};
}

}  // namespace feilun::compute
