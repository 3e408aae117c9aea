#pragma once

#include "compute/kernels.h"
#include "compute/lanes.h"

namespace feilun::compute::FEILUN_ISA_NAMESPACE {
namespace {

/// Σ x², in four strands of sixteen lanes.
FEILUN_INLINE float sum_of_squares(const float* x, int64_t count) {
  F32x16 squares[4] = {};
  int64_t i = 0;
  for (; i + 64 <= count; i += 64) {
    for (int strand = 0; strand < 4; ++strand) {
      const F32x16 v = load<F32x16>(x + i + strand * 16);
      squares[strand] += v * v;
    }
  }
  for (int strand = 0; i < count; i += 16, ++strand) {
    const F32x16 v = i + 16 <= count ? load<F32x16>(x + i) : load_part(x + i, count - i);
    squares[strand] += v * v;
  }
  return sum_of_lanes((squares[0] + squares[1]) + (squares[2] + squares[3]));
}

void rms_norm(const float* x, const float* weight, float epsilon, int64_t count, float* out) {
  const float mean = sum_of_squares(x, count) / static_cast<float>(count);
  const float factor = 1.0f / __builtin_sqrtf(mean + epsilon);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    store(out + i, load<F32x16>(weight + i) * (load<F32x16>(x + i) * splat(factor)));
  }
  for (; i < count; ++i) out[i] = weight[i] * (x[i] * factor);
}

void layer_norm(const float* x, const float* weight, const float* bias, float epsilon, int64_t count,
                float* out) {
  F32x16 sum = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) sum += load<F32x16>(x + i);
  if (i < count) sum += load_part(x + i, count - i);
  const float mean = sum_of_lanes(sum) / static_cast<float>(count);
  F32x16 squares = {};
  for (i = 0; i + 16 <= count; i += 16) {
    const F32x16 v = load<F32x16>(x + i) - splat(mean);
    squares += v * v;
  }
  for (; i < count; ++i) squares[i % 16] += (x[i] - mean) * (x[i] - mean);
  const float variance = sum_of_lanes(squares) / static_cast<float>(count);
  const float factor = 1.0f / __builtin_sqrtf(variance + epsilon);
  for (i = 0; i < count; ++i) out[i] = weight[i] * ((x[i] - mean) * factor) + bias[i];
}

void quantise_row(const float* x, int64_t count, int8_t* q, float* scale, int32_t* sum) {
#pragma clang fp contract(off)  // the product is rounded before the rounder is added, on every machine
  for (int64_t g = 0; g < count / kGroup; ++g) {
    const F32x16 low = load<F32x16>(x + g * kGroup);
    const F32x16 high = load<F32x16>(x + g * kGroup + 16);
    const float most = largest_lane(larger(magnitude(low), magnitude(high)));
    // One division for both: max|x| / 127 and 127 / max|x|.
    const F32x4 ratios = F32x4{most, 127.0f} / F32x4{127.0f, most};
    const F32x16 inverse = splat(most > 0.0f ? ratios[1] : 0.0f);
    const I32x16 low_q = (I32x16)(low * inverse + splat(kRounder)) - splat(kRounderBits);
    const I32x16 high_q = (I32x16)(high * inverse + splat(kRounder)) - splat(kRounderBits);
    store(q + g * kGroup, __builtin_convertvector(low_q, I8x16));
    store(q + g * kGroup + 16, __builtin_convertvector(high_q, I8x16));
    scale[g] = ratios[0];
    sum[g] = sum_of_lanes(low_q + high_q);
  }
}

void swiglu(const float* gate, const float* up, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += 16) {
    const F32x16 g = load<F32x16>(gate + i);
    const F32x16 gated = g / (splat(1.0f) + exponential(-g));
    store(out + i, load<F32x16>(up + i) * gated);
  }
}

void geglu(const float* gate, const float* up, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += 16) {
    const F32x16 g = load<F32x16>(gate + i);
    const F32x16 inner = splat(0.7978845608f) * (g + splat(0.044715f) * (g * g * g));
    const F32x16 gated = splat(0.5f) * g * (splat(1.0f) + hyperbolic_tangent(inner));
    store(out + i, load<F32x16>(up + i) * gated);
  }
}

/// x·Φ(x) = max(x, 0) − |x|·Φ(−|x|), where Φ(−z) = erfc(z/√2)/2 by formula 7.1.26 of Abramowitz and Stegun.
void gelu(const float* x, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += 16) {
    const F32x16 v = load<F32x16>(x + i);
    const F32x16 z = magnitude(v) * splat(0.70710678f);
    const F32x16 t = splat(1.0f) / (splat(1.0f) + splat(0.3275911f) * z);
    F32x16 p = splat(1.061405429f);
    p = p * t + splat(-1.453152027f);
    p = p * t + splat(1.421413741f);
    p = p * t + splat(-0.284496736f);
    p = p * t + splat(0.254829592f);
    const F32x16 tail = splat(0.5f) * (p * t) * exponential(-(z * z));
    store(out + i, larger(v, splat(0.0f)) - magnitude(v) * tail);
  }
}

void soft_cap(float* x, int64_t count, float cap) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    store(x + i, splat(cap) * hyperbolic_tangent(load<F32x16>(x + i) / splat(cap)));
  }
  if (i == count) return;
  const F32x16 capped = splat(cap) * hyperbolic_tangent(load_part(x + i, count - i) / splat(cap));
  std::memcpy(x + i, &capped, static_cast<size_t>(count - i) * sizeof(float));
}

/// The pair (a, b) turned by one angle.
template <typename Number>
FEILUN_INLINE void turn(Number& a, Number& b, Number cosine, Number sine, Number factor) {
  const Number turned = (a * cosine - b * sine) * factor;
  b = (a * sine + b * cosine) * factor;
  a = turned;
}

void rotate(float* head, int64_t width, const float* cosine, const float* sine, int64_t pairs,
            bool neighbours, float factor) {
  int64_t i = 0;
  for (; !neighbours && i + 16 <= pairs; i += 16) {
    auto a = load<F32x16>(head + i);
    auto b = load<F32x16>(head + pairs + i);
    turn(a, b, load<F32x16>(cosine + i), load<F32x16>(sine + i), splat(factor));
    store(head + i, a);
    store(head + pairs + i, b);
  }
  const int64_t step = neighbours ? 2 : 1;
  const int64_t partner = neighbours ? 1 : pairs;
  for (; i < pairs; ++i) turn(head[i * step], head[i * step + partner], cosine[i], sine[i], factor);
  for (i = 2 * pairs; i < width; ++i) head[i] *= factor;
}

}  // namespace
}  // namespace feilun::compute::FEILUN_ISA_NAMESPACE
