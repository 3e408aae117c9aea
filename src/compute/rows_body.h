#pragma once

#include "compute/kernels.h"
#include "compute/lanes.h"

namespace feilun::compute::FEILUN_ISA_NAMESPACE {
namespace {

void rms_norm(const float* x, const float* weight, float epsilon, int64_t count, float* out) {
  F32x16 squares = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const F32x16 v = load<F32x16>(x + i);
    squares += v * v;
  }
  if (i < count) {
    const F32x16 v = load_part(x + i, count - i);
    squares += v * v;
  }
  const float mean = sum_of_lanes(squares) / static_cast<float>(count);
  const float factor = 1.0f / __builtin_sqrtf(mean + epsilon);
  for (i = 0; i < count; ++i) out[i] = weight[i] * (x[i] * factor);
}

void quantise_row(const float* x, int64_t count, int8_t* q, float* scale, int32_t* sum) {
  for (int64_t g = 0; g < count / kGroup; ++g) {
    const F32x16 low = load<F32x16>(x + g * kGroup);
    const F32x16 high = load<F32x16>(x + g * kGroup + 16);
    const float most = largest_lane(larger(magnitude(low), magnitude(high)));
    const float inverse = most > 0.0f ? 127.0f / most : 0.0f;
    const I32x16 low_q = (I32x16)(low * splat(inverse) + splat(kRounder)) - splat(kRounderBits);
    const I32x16 high_q = (I32x16)(high * splat(inverse) + splat(kRounder)) - splat(kRounderBits);
    const I8x16 low_bytes = __builtin_convertvector(low_q, I8x16);
    const I8x16 high_bytes = __builtin_convertvector(high_q, I8x16);
    store(q + g * kGroup, low_bytes);
    store(q + g * kGroup + 16, high_bytes);
    scale[g] = most / 127.0f;
    sum[g] = sum_of_lanes(__builtin_convertvector(low_bytes, I32x16) +
                          __builtin_convertvector(high_bytes, I32x16));
  }
}

void swiglu(const float* gate, const float* up, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += 16) {
    const F32x16 g = load<F32x16>(gate + i);
    const F32x16 gated = g / (splat(1.0f) + exponential(-g));
    store(out + i, load<F32x16>(up + i) * gated);
  }
}

void rotate(float* head, const float* cosine, const float* sine, int64_t half, bool neighbours,
            float factor) {
  const int64_t step = neighbours ? 2 : 1;
  const int64_t partner = neighbours ? 1 : half;
  for (int64_t i = 0; i < half; ++i) {
    const float a = head[i * step];
    const float b = head[i * step + partner];
    head[i * step] = (a * cosine[i] - b * sine[i]) * factor;
    head[i * step + partner] = (a * sine[i] + b * cosine[i]) * factor;
  }
}

}  // namespace
}  // namespace feilun::compute::FEILUN_ISA_NAMESPACE
