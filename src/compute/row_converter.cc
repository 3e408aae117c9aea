#include "compute/row_converter.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "compute/half.h"
#include "compute/k_group_scale.h"
#include "compute/quantise.h"

// Three of the conversions keep the codes that are stored, so that nothing is rounded a second time:
//
//   Q4_K → Q4_1, Q5_K → Q5_1   a group's six-bit scale and minimum times the block's own, rounded to F16
//   Q5_0 → Q8_0                q − 16 under the same scale: exact
//
// All others go through floats.

namespace feilun::compute {
namespace {

constexpr size_t kGroupWeights = 32;
constexpr size_t kKGroups = 8;

using Codes = std::array<uint8_t, kGroupWeights>;

void put_half(std::byte* to, float value) {
  const uint16_t bits = f32_to_f16(value);
  std::memcpy(to, &bits, sizeof bits);
}

/// The codes of one group of a Q4_K or Q5_K block.
template <bool kFiveBits>
Codes k_codes(const std::byte* block, size_t group) {
  const std::byte* nibbles = block + (kFiveBits ? 48 : 16) + group / 2 * kGroupWeights;
  Codes codes;
  for (size_t i = 0; i < kGroupWeights; ++i) {
    codes[i] = static_cast<uint8_t>(nibbles[i] >> (group % 2 * 4) & std::byte{15});
    if (kFiveBits) codes[i] |= static_cast<uint8_t>((block[16 + i] >> group & std::byte{1}) << 4);
  }
  return codes;
}

/// A block of Q4_1 or Q5_1 after its scale and minimum.
template <bool kFiveBits>
void put_codes(const Codes& codes, std::byte* to) {
  if (kFiveBits) {
    uint32_t fifth = 0;
    for (size_t i = 0; i < kGroupWeights; ++i) fifth |= uint32_t{codes[i]} >> 4 << i;
    std::memcpy(to, &fifth, sizeof fifth);
    to += sizeof fifth;
  }
  for (size_t i = 0; i < 16; ++i) to[i] = static_cast<std::byte>((codes[i] & 15) | codes[i + 16] << 4);
}

template <bool kFiveBits>
void split_k_blocks(std::span<const std::byte> row, std::byte* to) {
  for (size_t at = 0; at < row.size(); at += kFiveBits ? 176 : 144) {
    const std::byte* block = row.data() + at;
    for (size_t group = 0; group < kKGroups; ++group, to += kFiveBits ? 24 : 20) {
      const KGroupScale scale = k_group_scale(block, static_cast<int>(group));
      put_half(to, scale.scale);
      put_half(to + 2, -scale.minimum);
      put_codes<kFiveBits>(k_codes<kFiveBits>(block, group), to + 4);
    }
  }
}

void widen_q5_0(std::span<const std::byte> row, std::byte* to) {
  for (size_t at = 0; at < row.size(); at += 22, to += 34) {
    std::memcpy(to, &row[at], 2);
    uint32_t fifth;
    std::memcpy(&fifth, &row[at + 2], sizeof fifth);
    for (size_t i = 0; i < kGroupWeights; ++i) {
      const std::byte nibble = row[at + 6 + i % 16] >> (i / 16 * 4) & std::byte{15};
      to[2 + i] = static_cast<std::byte>((std::to_integer<uint32_t>(nibble) | (fifth >> i & 1) << 4) - 16);
    }
  }
}

}  // namespace

RowConverter::RowConverter(DType from, DType to, int64_t depth)
    : from_(from), to_(to), floats_(static_cast<size_t>(depth)), bytes_(stored_bytes(to, depth)) {
  CHECK(can_convert(from, to));
}

bool RowConverter::can_convert(DType from, DType to) {
  return from == to || can_quantise(to) || (from == DType::kQ4_K && to == DType::kQ4_1) ||
         (from == DType::kQ5_K && to == DType::kQ5_1);
}

std::span<const std::byte> RowConverter::convert(std::span<const std::byte> row) {
  if (from_ == to_) return row;
  if (to_ == DType::kQ4_1) {
    split_k_blocks<false>(row, bytes_.data());
  } else if (to_ == DType::kQ5_1) {
    split_k_blocks<true>(row, bytes_.data());
  } else if (from_ == DType::kQ5_0 && to_ == DType::kQ8_0) {
    widen_q5_0(row, bytes_.data());
  } else {
    dequantise(from_, row, floats_);
    quantise(to_, floats_, bytes_);
  }
  return bytes_;
}

}  // namespace feilun::compute
