#include "compute/dequantise.h"

#include <cstring>

#include "base/check.h"
#include "compute/half.h"
#include "compute/k_group_scale.h"

// Blocks of 32 have one scale (and perhaps a minimum m), and a weight is scale·q or scale·q + m. Element j of
// the first half and element j of the second share a byte: its low and its high nibble. A fifth bit, where
// there is one, is bit j of a 32-bit word.
//
// Blocks of 256, the K types, scale twice: an F16 for the block times a small integer for each group of 32
// (Q4_K, Q5_K: six bits, with a minimum scaled likewise) or of 16 (Q6_K: eight bits, signed).
//
// Everything is read with memcpy: nothing in a file promises alignment.

namespace feilun::compute {
namespace {

constexpr int kBlock = 32;
constexpr int kKBlock = 256;

uint16_t load_u16(const std::byte* from) {
  uint16_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

uint32_t load_u32(const std::byte* from) {
  uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

float load_f16(const std::byte* from) {
  return f16_to_f32(load_u16(from));
}

int low_nibble(std::byte pair) {
  return std::to_integer<int>(pair & std::byte{15});
}

int high_nibble(std::byte pair) {
  return std::to_integer<int>(pair >> 4);
}

int fifth_bit(uint32_t bits, int element) {
  return static_cast<int>(bits >> element & 1u) << 4;
}

void q8_0(const std::byte* block, float* w) {
  const float d = load_f16(block);
  for (int i = 0; i < kBlock; ++i) w[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

void q4_0(const std::byte* block, float* w) {
  const float d = load_f16(block);
  const std::byte* q = block + 2;
  for (int j = 0; j < kBlock / 2; ++j) {
    w[j] = d * static_cast<float>(low_nibble(q[j]) - 8);
    w[j + kBlock / 2] = d * static_cast<float>(high_nibble(q[j]) - 8);
  }
}

void q4_1(const std::byte* block, float* w) {
  const float d = load_f16(block);
  const float m = load_f16(block + 2);
  const std::byte* q = block + 4;
  for (int j = 0; j < kBlock / 2; ++j) {
    w[j] = d * static_cast<float>(low_nibble(q[j])) + m;
    w[j + kBlock / 2] = d * static_cast<float>(high_nibble(q[j])) + m;
  }
}

void q5_0(const std::byte* block, float* w) {
  const float d = load_f16(block);
  const uint32_t fifth = load_u32(block + 2);
  const std::byte* q = block + 6;
  for (int j = 0; j < kBlock / 2; ++j) {
    w[j] = d * static_cast<float>((low_nibble(q[j]) | fifth_bit(fifth, j)) - 16);
    w[j + kBlock / 2] = d * static_cast<float>((high_nibble(q[j]) | fifth_bit(fifth, j + kBlock / 2)) - 16);
  }
}

void q5_1(const std::byte* block, float* w) {
  const float d = load_f16(block);
  const float m = load_f16(block + 2);
  const uint32_t fifth = load_u32(block + 4);
  const std::byte* q = block + 8;
  for (int j = 0; j < kBlock / 2; ++j) {
    w[j] = d * static_cast<float>(low_nibble(q[j]) | fifth_bit(fifth, j)) + m;
    w[j + kBlock / 2] = d * static_cast<float>(high_nibble(q[j]) | fifth_bit(fifth, j + kBlock / 2)) + m;
  }
}

void q4_k(const std::byte* block, float* w) {
  const std::byte* q = block + 16;
  for (int pair = 0; pair < 4; ++pair, q += 32, w += 64) {
    const KGroupScale low = k_group_scale(block, 2 * pair);
    const KGroupScale high = k_group_scale(block, 2 * pair + 1);
    for (int l = 0; l < 32; ++l) {
      w[l] = low.scale * static_cast<float>(low_nibble(q[l])) - low.minimum;
      w[l + 32] = high.scale * static_cast<float>(high_nibble(q[l])) - high.minimum;
    }
  }
}

void q5_k(const std::byte* block, float* w) {
  const std::byte* fifth = block + 16;
  const std::byte* q = block + 48;
  for (int pair = 0; pair < 4; ++pair, q += 32, w += 64) {
    const KGroupScale low = k_group_scale(block, 2 * pair);
    const KGroupScale high = k_group_scale(block, 2 * pair + 1);
    for (int l = 0; l < 32; ++l) {
      // Bit g of byte l is the fifth bit of element l of group g.
      const auto bits = std::to_integer<uint32_t>(fifth[l]);
      w[l] = low.scale * static_cast<float>(low_nibble(q[l]) | fifth_bit(bits, 2 * pair)) - low.minimum;
      w[l + 32] =
          high.scale * static_cast<float>(high_nibble(q[l]) | fifth_bit(bits, 2 * pair + 1)) - high.minimum;
    }
  }
}

void q6_k(const std::byte* block, float* w) {
  const float d = load_f16(block + 208);
  for (int half = 0; half < 2; ++half, w += 128) {
    const std::byte* low = block + 64 * half;
    const std::byte* top = block + 128 + 32 * half;
    const std::byte* scales = block + 192 + 8 * half;
    const auto weight = [&](int group, int l, int nibble) {
      // Byte l of `top` holds the two high bits of element l of all four groups of 32.
      const int high = std::to_integer<int>(top[l]) >> 2 * group & 3;
      const float scale = d * static_cast<float>(static_cast<int8_t>(scales[2 * group + l / 16]));
      return scale * static_cast<float>((nibble | high << 4) - 32);
    };
    for (int l = 0; l < 32; ++l) {
      w[l] = weight(0, l, low_nibble(low[l]));
      w[l + 32] = weight(1, l, low_nibble(low[l + 32]));
      w[l + 64] = weight(2, l, high_nibble(low[l]));
      w[l + 96] = weight(3, l, high_nibble(low[l + 32]));
    }
  }
}

template <auto Block, int kElements>
void each_block(DType type, std::span<const std::byte> bytes, std::span<float> out) {
  const size_t step = block_layout(type).bytes;
  const std::byte* block = bytes.data();
  for (size_t i = 0; i < out.size(); i += kElements, block += step) Block(block, out.data() + i);
}

void one_f16(const std::byte* from, float* w) {
  *w = load_f16(from);
}

void one_bf16(const std::byte* from, float* w) {
  *w = bf16_to_f32(load_u16(from));
}

}  // namespace

void dequantise(DType type, std::span<const std::byte> bytes, std::span<float> out) {
  CHECK(bytes.size() == stored_bytes(type, static_cast<int64_t>(out.size())));
  switch (type) {
    case DType::kF32:
      if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
      return;
    case DType::kF16:
      return each_block<one_f16, 1>(type, bytes, out);
    case DType::kBF16:
      return each_block<one_bf16, 1>(type, bytes, out);
    case DType::kQ8_0:
      return each_block<q8_0, kBlock>(type, bytes, out);
    case DType::kQ4_0:
      return each_block<q4_0, kBlock>(type, bytes, out);
    case DType::kQ4_1:
      return each_block<q4_1, kBlock>(type, bytes, out);
    case DType::kQ5_0:
      return each_block<q5_0, kBlock>(type, bytes, out);
    case DType::kQ5_1:
      return each_block<q5_1, kBlock>(type, bytes, out);
    case DType::kQ4_K:
      return each_block<q4_k, kKBlock>(type, bytes, out);
    case DType::kQ5_K:
      return each_block<q5_k, kKBlock>(type, bytes, out);
    case DType::kQ6_K:
      return each_block<q6_k, kKBlock>(type, bytes, out);
  }
}

}  // namespace feilun::compute
