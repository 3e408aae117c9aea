#include "compute/weight_matrix.h"

#include <array>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "compute/half.h"
#include "compute/quantise.h"
#include "compute/row_converter.h"

namespace feilun::compute {
namespace {

constexpr bool is_float(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

constexpr bool has_minima(DType type) {
  return type == DType::kQ4_1 || type == DType::kQ5_1;
}

constexpr bool has_nibbles(DType type) {
  return type == DType::kQ4_0 || type == DType::kQ4_1;
}

/// Where the codes begin in a group of a panel, behind the scales and minima.
constexpr int64_t codes_at(DType type) {
  return kPanelColumns * (has_minima(type) ? 4 : 2);
}

int64_t panel_bytes(DType type, int64_t depth) {
  if (is_float(type)) return depth * kPanelColumns * static_cast<int64_t>(block_layout(type).bytes);
  if (type == DType::kW8) return (depth + int64_t{sizeof(float)}) * kPanelColumns;
  const int64_t codes = kGroup * kPanelColumns / (has_nibbles(type) ? 2 : 1);
  return depth / kGroup * (codes_at(type) + codes);
}

template <typename Number>
void put_floats(std::span<const std::byte> row, int64_t lane, std::byte* panel) {
  auto* out = reinterpret_cast<Number*>(panel) + lane;
  for (size_t k = 0; k * sizeof(Number) < row.size(); ++k) {
    std::memcpy(out + k * kPanelColumns, row.data() + k * sizeof(Number), sizeof(Number));
  }
}

/// The 32 codes of a block, unsigned, in the order of their weights.
using Codes = std::array<uint8_t, kGroup>;

template <DType kType>
Codes read_codes(const std::byte* block) {
  Codes codes;
  const auto* bytes = reinterpret_cast<const uint8_t*>(block) + (has_minima(kType) ? 4 : 2);
  if constexpr (kType == DType::kQ8_0) {
    for (size_t i = 0; i < 32; ++i) codes[i] = bytes[i] ^ 0x80;
    return codes;
  }
  const uint8_t* nibbles = bytes + (kType == DType::kQ5_1 ? 4 : 0);
  for (size_t i = 0; i < 16; ++i) {
    codes[i] = nibbles[i] & 15;
    codes[i + 16] = nibbles[i] >> 4;
  }
  if constexpr (kType == DType::kQ5_1) {
    uint32_t fifth;
    std::memcpy(&fifth, bytes, 4);
    for (size_t i = 0; i < 32; ++i) codes[i] |= static_cast<uint8_t>((fifth >> i & 1) << 4);
  }
  return codes;
}

/// A row of blocks into one lane of a panel, whose groups lie `kPanelColumns` times as wide.
template <DType kType>
void put_blocks(std::span<const std::byte> row, int64_t lane, std::byte* panel) {
  const size_t block_bytes = block_layout(kType).bytes;
  const int64_t group_bytes = panel_bytes(kType, kGroup);
  for (size_t at = 0; at < row.size(); at += block_bytes, panel += group_bytes) {
    std::memcpy(panel + lane * 2, &row[at], 2);
    if (has_minima(kType)) std::memcpy(panel + kPanelColumns * 2 + lane * 2, &row[at + 2], 2);
    const Codes codes = read_codes<kType>(&row[at]);
    std::byte* out = panel + codes_at(kType) + lane * 4;
    if constexpr (has_nibbles(kType)) {
      for (size_t i = 0; i < 32; i += 8, out += kPanelColumns * 4) {
        uint32_t low;
        uint32_t high;
        std::memcpy(&low, &codes[i], 4);
        std::memcpy(&high, &codes[i + 4], 4);
        low |= high << 4;
        std::memcpy(out, &low, 4);
      }
    } else {
      for (size_t i = 0; i < 32; i += 4, out += kPanelColumns * 4) std::memcpy(out, &codes[i], 4);
    }
  }
}

/// A row of F32 as bytes under one scale.
void put_bytes(std::span<const std::byte> row, int64_t lane, std::byte* panel) {
  std::vector<float> weights(row.size() / sizeof(float));
  std::memcpy(weights.data(), row.data(), row.size());
  std::vector<int8_t> q(weights.size());
  const float scale = quantise_together(weights, q);
  for (size_t k = 0; k < q.size(); ++k) {
    const size_t at = (k / 4 * kPanelColumns + static_cast<size_t>(lane)) * 4 + k % 4;
    panel[at] = static_cast<std::byte>(q[k]) ^ std::byte{0x80};
  }
  std::memcpy(panel + q.size() * kPanelColumns + static_cast<size_t>(lane) * sizeof scale, &scale,
              sizeof scale);
}

void put_row(DType type, std::span<const std::byte> row, int64_t lane, std::byte* panel) {
  switch (type) {
    case DType::kF32:
      return put_floats<uint32_t>(row, lane, panel);
    case DType::kF16:
    case DType::kBF16:
      return put_floats<uint16_t>(row, lane, panel);
    case DType::kQ8_0:
      return put_blocks<DType::kQ8_0>(row, lane, panel);
    case DType::kQ4_0:
      return put_blocks<DType::kQ4_0>(row, lane, panel);
    case DType::kQ4_1:
      return put_blocks<DType::kQ4_1>(row, lane, panel);
    case DType::kQ5_1:
      return put_blocks<DType::kQ5_1>(row, lane, panel);
    case DType::kW8:
      return put_bytes(row, lane, panel);
    default:
      CHECK(false);
  }
}

uint16_t sixteen_bits(const std::byte* from) {
  uint16_t bits;
  std::memcpy(&bits, from, 2);
  return bits;
}

/// The codes of one lane of a group of a quantised panel.
Codes lane_codes(DType type, const std::byte* group, int64_t lane) {
  Codes codes;
  const std::byte* from = group + codes_at(type) + lane * 4;
  const size_t step = has_nibbles(type) ? 8 : 4;
  for (size_t i = 0; i < codes.size(); i += step, from += kPanelColumns * 4) {
    uint32_t four;
    std::memcpy(&four, from, 4);
    const uint32_t low = has_nibbles(type) ? four & 0x0f0f0f0f : four;
    std::memcpy(&codes[i], &low, 4);
    if (!has_nibbles(type)) continue;
    const uint32_t high = four >> 4 & 0x0f0f0f0f;
    std::memcpy(&codes[i + 4], &high, 4);
  }
  return codes;
}

/// The weights of one lane of a W8 panel.
void read_bytes(const std::byte* panel, int64_t depth, int64_t lane, float* out) {
  float scale;
  std::memcpy(&scale, panel + depth * kPanelColumns + lane * int64_t{sizeof scale}, sizeof scale);
  for (int64_t k = 0; k < depth; ++k) {
    const auto code = std::to_integer<int>(panel[(k / 4 * kPanelColumns + lane) * 4 + k % 4]);
    out[k] = scale * static_cast<float>(code - 128);
  }
}

}  // namespace

bool can_pack(DType type) {
  return is_float(type) || has_minima(type) || type == DType::kQ8_0 || type == DType::kQ4_0;
}

bool can_pack(DType stored, DType packed) {
  if (packed == DType::kW8) return true;
  if (stored == packed || packed == DType::kF32) return can_pack(packed);
  return can_pack(packed) && RowConverter::can_convert(stored, packed) &&
         (is_float(stored) || !can_pack(stored));
}

int64_t packed_bytes(DType type, int64_t depth, int64_t columns) {
  return panel_bytes(type, depth) * ((columns + kPanelColumns - 1) / kPanelColumns);
}

Result<WeightArena> WeightArena::reserve(int64_t bytes) {
  WeightArena arena;
  arena.memory_ = TRY(AlignedBuffer::allocate(static_cast<size_t>(bytes)));
  return arena;
}

std::byte* WeightArena::take(int64_t bytes) {
  CHECK(bytes >= 0 && bytes % 64 == 0 && bytes <= static_cast<int64_t>(memory_.size()) - used_);
  std::byte* piece = memory_.data() + used_;
  used_ += bytes;
  return piece;
}

WeightMatrix WeightMatrix::pack(DType stored, std::span<const std::byte> bytes, int64_t depth,
                                int64_t columns, DType packed, ThreadPool& pool, WeightArena& arena) {
  CHECK(can_pack(stored, packed) && depth > 0 && columns > 0);
  CHECK(depth % block_layout(stored).elements == 0 && depth % packed_group(packed) == 0);
  const size_t row_bytes = stored_bytes(stored, depth);
  CHECK(bytes.size() == row_bytes * static_cast<size_t>(columns));

  WeightMatrix matrix;
  matrix.type_ = packed;
  matrix.depth_ = depth;
  matrix.columns_ = columns;
  matrix.panel_bytes_ = panel_bytes(packed, depth);
  std::byte* memory = arena.take(packed_bytes(packed, depth, columns));
  matrix.memory_ = memory;
  pool.parallel_for(matrix.panels(), [&](int64_t begin, int64_t end, int) {
    RowConverter converter(stored, packed == DType::kW8 ? DType::kF32 : packed, depth);
    for (int64_t column = begin * kPanelColumns; column < end * kPanelColumns && column < columns; ++column) {
      std::byte* panel = memory + column / kPanelColumns * matrix.panel_bytes_;
      const auto row = bytes.subspan(static_cast<size_t>(column) * row_bytes, row_bytes);
      put_row(packed, converter.convert(row), column % kPanelColumns, panel);
    }
  });
  return matrix;
}

void WeightMatrix::read_column(int64_t column, float* out) const {
  CHECK(column >= 0 && column < columns_);
  const std::byte* p = panel(column / kPanelColumns);
  const int64_t lane = column % kPanelColumns;
  switch (type_) {
    case DType::kF32:
      for (int64_t k = 0; k < depth_; ++k) std::memcpy(out + k, p + (k * kPanelColumns + lane) * 4, 4);
      return;
    case DType::kF16:
      for (int64_t k = 0; k < depth_; ++k)
        out[k] = f16_to_f32(sixteen_bits(p + (k * kPanelColumns + lane) * 2));
      return;
    case DType::kBF16:
      for (int64_t k = 0; k < depth_; ++k)
        out[k] = bf16_to_f32(sixteen_bits(p + (k * kPanelColumns + lane) * 2));
      return;
    default:
      break;
  }
  if (type_ == DType::kW8) return read_bytes(p, depth_, lane, out);
  const int64_t group_bytes = panel_bytes_ / (depth_ / kGroup);
  for (int64_t k = 0; k < depth_; k += kGroup, p += group_bytes) {
    const float scale = f16_to_f32(sixteen_bits(p + lane * 2));
    const float minimum =
        has_minima(type_) ? f16_to_f32(sixteen_bits(p + kPanelColumns * 2 + lane * 2)) : 0.0f;
    const int offset = has_minima(type_) ? 0 : has_nibbles(type_) ? 8 : 128;
    const Codes codes = lane_codes(type_, p, lane);
    for (size_t i = 0; i < codes.size(); ++i) {
      out[k + static_cast<int64_t>(i)] = scale * static_cast<float>(codes[i] - offset) + minimum;
    }
  }
}

}  // namespace feilun::compute
