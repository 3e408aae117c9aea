#include "compute/weight_matrix.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "compute/half.h"
#include "compute/row_converter.h"

namespace feilun::compute {
namespace {

constexpr int64_t kScalesBytes = kPanelColumns * 2;

bool is_float(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

int64_t panel_bytes(DType type, int64_t depth) {
  const BlockLayout block = block_layout(type);
  return depth / block.elements * static_cast<int64_t>(block.bytes) * kPanelColumns;
}

template <typename Number>
void put_floats(std::span<const std::byte> row, int64_t lane, std::byte* panel) {
  auto* out = reinterpret_cast<Number*>(panel) + lane;
  for (size_t k = 0; k * sizeof(Number) < row.size(); ++k) {
    std::memcpy(out + k * kPanelColumns, row.data() + k * sizeof(Number), sizeof(Number));
  }
}

void put_q8(std::span<const std::byte> row, int64_t lane, std::byte* panel) {
  constexpr size_t kBlock = 34;
  for (size_t at = 0; at < row.size(); at += kBlock, panel += kBlock * kPanelColumns) {
    std::memcpy(panel + lane * 2, &row[at], 2);
    for (int step = 0; step < 8; ++step) {
      uint32_t four;
      std::memcpy(&four, &row[at + 2 + step * 4], 4);
      four ^= 0x80808080u;
      std::memcpy(panel + kScalesBytes + step * 128 + lane * 4, &four, 4);
    }
  }
}

void put_q4(std::span<const std::byte> row, int64_t lane, std::byte* panel) {
  constexpr size_t kBlock = 18;
  for (size_t at = 0; at < row.size(); at += kBlock, panel += kBlock * kPanelColumns) {
    std::memcpy(panel + lane * 2, &row[at], 2);
    std::array<std::byte, 32> q;
    for (int j = 0; j < 16; ++j) {
      q[j] = row[at + 2 + j] & std::byte{15};
      q[j + 16] = row[at + 2 + j] >> 4;
    }
    for (int step = 0; step < 4; ++step) {
      for (int j = 0; j < 4; ++j) {
        panel[kScalesBytes + step * 128 + lane * 4 + j] = q[step * 8 + j] | q[step * 8 + 4 + j] << 4;
      }
    }
  }
}

void put_row(DType type, std::span<const std::byte> row, int64_t lane, std::byte* panel) {
  switch (type) {
    case DType::kF32:
      return put_floats<uint32_t>(row, lane, panel);
    case DType::kF16:
    case DType::kBF16:
      return put_floats<uint16_t>(row, lane, panel);
    case DType::kQ8_0:
      return put_q8(row, lane, panel);
    case DType::kQ4_0:
      return put_q4(row, lane, panel);
    default:
      CHECK(false);
  }
}

uint16_t sixteen_bits(const std::byte* from) {
  uint16_t bits;
  std::memcpy(&bits, from, 2);
  return bits;
}

/// The signed number that stands for element i of a group in a lane of a quantised panel.
int group_number(DType type, const std::byte* group, int64_t lane, int64_t i) {
  const std::byte* bytes = group + kScalesBytes + lane * 4 + i % 4;
  if (type == DType::kQ8_0) return static_cast<int>(bytes[i / 4 * 128]) - 128;
  const auto pair = static_cast<int>(bytes[i / 8 * 128]);
  return (i % 8 < 4 ? pair & 15 : pair >> 4) - 8;
}

}  // namespace

bool can_pack(DType type) {
  return is_float(type) || type == DType::kQ8_0 || type == DType::kQ4_0;
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
  CHECK(can_pack(packed) && depth > 0 && columns > 0);
  CHECK(stored == packed || packed == DType::kF32 || is_float(stored) || !can_pack(stored));
  CHECK(depth % block_layout(stored).elements == 0 && depth % block_layout(packed).elements == 0);
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
    RowConverter converter(stored, packed, depth);
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
  const int64_t group_bytes = panel_bytes_ / (depth_ / kGroup);
  for (int64_t k = 0; k < depth_; k += kGroup, p += group_bytes) {
    const float scale = f16_to_f32(sixteen_bits(p + lane * 2));
    for (int64_t i = 0; i < kGroup; ++i)
      out[k + i] = scale * static_cast<float>(group_number(type_, p, lane, i));
  }
}

}  // namespace feilun::compute
