#include "compute/quantise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "compute/half.h"

// Blocks are written with memcpy: nothing promises their alignment.

namespace feilun::compute {
namespace {

constexpr int kBlock = 32;

void store_u16(std::byte* to, uint16_t value) {
  std::memcpy(to, &value, sizeof value);
}

/// The nearest integer, halves away from zero, for |x| ≤ 127: roundf without a call, so that it vectorises.
/// The difference from the truncated number is exact.
int nearest(float x) {
  const int whole = static_cast<int>(x);
  const float rest = x - static_cast<float>(whole);
  return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

void q8_0(std::span<const float, kBlock> w, std::byte* out) {
  std::array<int8_t, kBlock> q;
  store_u16(out, f32_to_f16(quantise_together(w, q)));
  std::memcpy(out + 2, q.data(), q.size());
}

std::byte q4_0_code(float w, float inverse) {
  const float shifted = w * inverse + 8.5f;
  if (!(shifted > 0)) return std::byte{0};
  return static_cast<std::byte>(shifted < 15 ? static_cast<int>(shifted) : 15);
}

void q4_0(const float* w, std::byte* out) {
  float amax = 0;
  float extreme = 0;
  for (int i = 0; i < kBlock; ++i) {
    if (std::fabs(w[i]) > amax) {
      amax = std::fabs(w[i]);
      extreme = w[i];
    }
  }
  const float d = extreme / -8;
  const float inverse = d != 0 ? 1 / d : 0;
  store_u16(out, f32_to_f16(d));
  for (int i = 0; i < kBlock / 2; ++i) {
    out[2 + i] = q4_0_code(w[i], inverse) | q4_0_code(w[i + kBlock / 2], inverse) << 4;
  }
}

}  // namespace

float quantise_together(std::span<const float> values, std::span<int8_t> q) {
  float amax = 0;
  for (const float x : values) amax = std::max(amax, std::fabs(x));
  const float d = amax / 127;
  const float inverse = d != 0 ? 1 / d : 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const float scaled = values[i] * inverse;
    // A subnormal d makes `inverse` infinite, and a weight may be NaN: neither may reach the cast.
    const bool finite = std::fabs(scaled) <= std::numeric_limits<float>::max();
    const float safe = finite ? std::min(127.0f, std::max(-127.0f, scaled)) : 0;
    q[i] = static_cast<int8_t>(nearest(safe));
  }
  return d;
}

bool can_quantise(DType type) {
  switch (type) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kQ8_0:
    case DType::kQ4_0:
      return true;
    default:
      return false;
  }
}

void quantise(DType type, std::span<const float> values, std::span<std::byte> out) {
  CHECK(can_quantise(type) && out.size() == stored_bytes(type, static_cast<int64_t>(values.size())));
  const size_t blocks = values.size() / kBlock;
  switch (type) {
    case DType::kF32:
      if (!values.empty()) std::memcpy(out.data(), values.data(), out.size());
      break;
    case DType::kF16:
      for (size_t i = 0; i < values.size(); ++i) store_u16(out.data() + 2 * i, f32_to_f16(values[i]));
      break;
    case DType::kBF16:
      for (size_t i = 0; i < values.size(); ++i) store_u16(out.data() + 2 * i, f32_to_bf16(values[i]));
      break;
    case DType::kQ8_0:
      for (size_t b = 0; b < blocks; ++b)
        q8_0(values.subspan(b * kBlock).first<kBlock>(), out.data() + b * 34);
      break;
    default:
      for (size_t b = 0; b < blocks; ++b) q4_0(values.data() + b * kBlock, out.data() + b * 18);
  }
}

}  // namespace feilun::compute
