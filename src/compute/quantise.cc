#include "compute/quantise.h"

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "compute/half.h"

// Blocks are read and written with memcpy: nothing in a file promises their alignment.

namespace feilun::compute {
namespace {

constexpr int kBlock = 32;

uint16_t load_u16(const std::byte* from) {
  uint16_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

void store_u16(std::byte* to, uint16_t value) {
  std::memcpy(to, &value, sizeof value);
}

void quantise_q8_0(const float* w, std::byte* out) {
  float amax = 0;
  for (int i = 0; i < kBlock; ++i) amax = std::max(amax, std::fabs(w[i]));
  const float d = amax / 127;
  const float inverse = d != 0 ? 1 / d : 0;
  store_u16(out, f32_to_f16(d));
  for (int i = 0; i < kBlock; ++i) {
    const float scaled = std::roundf(w[i] * inverse);
    // A subnormal d makes `inverse` infinite, and a weight may be NaN: neither may reach the cast.
    const float safe = std::isfinite(scaled) ? std::min(127.0f, std::max(-127.0f, scaled)) : 0;
    out[2 + i] = static_cast<std::byte>(static_cast<int8_t>(safe));
  }
}

std::byte q4_0_code(float w, float inverse) {
  const float shifted = w * inverse + 8.5f;
  if (!(shifted > 0)) return std::byte{0};
  return static_cast<std::byte>(shifted < 15 ? static_cast<int>(shifted) : 15);
}

void quantise_q4_0(const float* w, std::byte* out) {
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

void dequantise_q8_0(const std::byte* block, float* w) {
  const float d = f16_to_f32(load_u16(block));
  for (int i = 0; i < kBlock; ++i) w[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

void dequantise_q4_0(const std::byte* block, float* w) {
  const float d = f16_to_f32(load_u16(block));
  for (int i = 0; i < kBlock / 2; ++i) {
    const int pair = std::to_integer<int>(block[2 + i]);
    w[i] = d * static_cast<float>((pair & 15) - 8);
    w[i + kBlock / 2] = d * static_cast<float>((pair >> 4) - 8);
  }
}

}  // namespace

bool can_convert(DType type) {
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

size_t stored_bytes(DType type, int64_t elements) {
  const BlockLayout layout = block_layout(type);
  CHECK(layout.elements > 0 && elements >= 0 && elements % layout.elements == 0);
  return static_cast<size_t>(elements / layout.elements) * layout.bytes;
}

void quantise(DType type, std::span<const float> values, std::span<std::byte> out) {
  CHECK(can_convert(type) && out.size() == stored_bytes(type, static_cast<int64_t>(values.size())));
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
      for (size_t b = 0; b < blocks; ++b) quantise_q8_0(values.data() + b * kBlock, out.data() + b * 34);
      break;
    default:
      for (size_t b = 0; b < blocks; ++b) quantise_q4_0(values.data() + b * kBlock, out.data() + b * 18);
  }
}

void dequantise(DType type, std::span<const std::byte> bytes, std::span<float> out) {
  CHECK(can_convert(type) && bytes.size() == stored_bytes(type, static_cast<int64_t>(out.size())));
  const size_t blocks = out.size() / kBlock;
  switch (type) {
    case DType::kF32:
      if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
      break;
    case DType::kF16:
      for (size_t i = 0; i < out.size(); ++i) out[i] = f16_to_f32(load_u16(bytes.data() + 2 * i));
      break;
    case DType::kBF16:
      for (size_t i = 0; i < out.size(); ++i) out[i] = bf16_to_f32(load_u16(bytes.data() + 2 * i));
      break;
    case DType::kQ8_0:
      for (size_t b = 0; b < blocks; ++b) dequantise_q8_0(bytes.data() + b * 34, out.data() + b * kBlock);
      break;
    default:
      for (size_t b = 0; b < blocks; ++b) dequantise_q4_0(bytes.data() + b * 18, out.data() + b * kBlock);
  }
}

}  // namespace feilun::compute
