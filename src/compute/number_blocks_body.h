#pragma once

#include "compute/kernels.h"
#include "compute/lanes.h"

/// Passes over long rows of numbers (number_blocks.h). The last block of a row is filled up with −∞.

namespace feilun::compute::FEILUN_ISA_NAMESPACE {
namespace {

/// Calls visit(block, its four vectors) for each block of 64.
template <typename Visit>
FEILUN_INLINE void each_block(const float* x, int64_t count, Visit&& visit) {
  int64_t block = 0;
  for (; (block + 1) * kNumberBlock <= count; ++block) visit(block, x + block * kNumberBlock);
  const int64_t rest = count - block * kNumberBlock;
  if (rest == 0) return;
  alignas(64) float last[kNumberBlock];
  for (float& number : last) number = -__builtin_inff();
  std::memcpy(last, x + block * kNumberBlock, static_cast<size_t>(rest) * sizeof(float));
  visit(block, last);
}

void block_maxima(const float* x, int64_t count, float* out) {
  each_block(x, count, [out](int64_t block, const float* numbers) __attribute__((always_inline)) {
    F32x16 most = splat(-__builtin_inff());
    for (int i = 0; i < kNumberBlock; i += 16) most = larger(load<F32x16>(numbers + i), most);
    out[block] = largest_lane(most);
  });
}

FEILUN_INLINE F32x16 weight_of(F32x16 x, float peak, float scale) {
  const F32x16 power = (x - splat(peak)) * splat(scale);
  return power > splat(-87.0f) ? exponential(power) : splat(0.0f);
}

void weights(const float* x, int64_t count, float peak, float scale, float* out) {
  each_block(x, count, [=](int64_t block, const float* numbers) __attribute__((always_inline)) {
    for (int i = 0; i < kNumberBlock; i += 16) {
      const F32x16 weight = weight_of(load<F32x16>(numbers + i), peak, scale);
      const int64_t left = count - (block * kNumberBlock + i);
      const int64_t lanes = left < 16 ? left : 16;
      if (lanes > 0) std::memcpy(out + block * kNumberBlock + i, &weight, static_cast<size_t>(lanes) * 4);
    }
  });
}

void block_weights(const float* x, int64_t count, float peak, float scale, float* out) {
  each_block(x, count, [=](int64_t block, const float* numbers) __attribute__((always_inline)) {
    F32x16 sum = {};
    for (int i = 0; i < kNumberBlock; i += 16) sum += weight_of(load<F32x16>(numbers + i), peak, scale);
    out[block] = sum_of_lanes(sum);
  });
}

float dot(const float* a, const float* b, int64_t count) {
  F32x16 sums[2] = {};
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    sums[0] += load<F32x16>(a + i) * load<F32x16>(b + i);
    sums[1] += load<F32x16>(a + i + 16) * load<F32x16>(b + i + 16);
  }
  for (; i < count; i += 16) {
    const int64_t left = count - i < 16 ? count - i : 16;
    sums[0] += load_part(a + i, left) * load_part(b + i, left);
  }
  return sum_of_lanes(sums[0] + sums[1]);
}

}  // namespace
}  // namespace feilun::compute::FEILUN_ISA_NAMESPACE
