#include "compute/weight_matrix.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "compute/quantise.h"
#include "compute/row_converter.h"

namespace feilun::compute {
namespace {

std::vector<float> random_floats(int64_t count) {
  std::mt19937 engine(3);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out) x = static_cast<float>(engine() & 0xffff) / 32768.0f - 1.0f;
  return out;
}

/// Packs into an arena of the right size.
WeightMatrix pack_into(WeightArena& arena, DType stored, std::span<const std::byte> bytes, int64_t depth,
                       int64_t columns, DType packed) {
  ThreadPool pool(2);
  arena = WeightArena::reserve(packed_bytes(packed, depth, columns)).value();
  return WeightMatrix::pack(stored, bytes, depth, columns, packed, pool, arena);
}

TEST(WeightMatrix, GivesBackEveryColumnOfEveryType) {
  constexpr int64_t kDepth = 96;
  constexpr int64_t kColumns = 71;
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0}) {
    std::vector<float> values = random_floats(kDepth * kColumns);
    std::vector<std::byte> bytes(stored_bytes(type, kDepth * kColumns));
    quantise(type, values, bytes);
    dequantise(type, bytes, values);
    WeightArena arena;
    const WeightMatrix matrix = pack_into(arena, type, bytes, kDepth, kColumns, type);
    std::vector<float> column(kDepth);
    for (int64_t c = 0; c < kColumns; ++c) {
      matrix.read_column(c, column.data());
      for (int64_t k = 0; k < kDepth; ++k) ASSERT_EQ(column[k], values[c * kDepth + k]) << dtype_name(type);
    }
  }
}

TEST(WeightMatrix, ConvertsWhilePackingLikeTheReference) {
  constexpr int64_t kDepth = 64;
  constexpr int64_t kColumns = 40;
  const std::pair<DType, DType> conversions[] = {{DType::kF32, DType::kQ8_0}, {DType::kBF16, DType::kQ4_0},
                                                 {DType::kF16, DType::kQ8_0}, {DType::kQ4_0, DType::kF32},
                                                 {DType::kQ8_0, DType::kF32}, {DType::kF16, DType::kF32}};
  for (const auto& [stored, packed] : conversions) {
    std::vector<float> values = random_floats(kDepth * kColumns);
    std::vector<std::byte> bytes(stored_bytes(stored, kDepth * kColumns));
    quantise(stored, values, bytes);
    dequantise(stored, bytes, values);
    std::vector<std::byte> again(stored_bytes(packed, kDepth * kColumns));
    quantise(packed, values, again);
    dequantise(packed, again, values);
    WeightArena arena;
    const WeightMatrix matrix = pack_into(arena, stored, bytes, kDepth, kColumns, packed);
    ASSERT_EQ(matrix.type(), packed);
    std::vector<float> column(kDepth);
    for (int64_t c = 0; c < kColumns; ++c) {
      matrix.read_column(c, column.data());
      for (int64_t k = 0; k < kDepth; ++k) ASSERT_EQ(column[k], values[c * kDepth + k]);
    }
  }
}

TEST(WeightMatrix, ConvertsEveryStoredTypeRowByRow) {
  constexpr int64_t kDepth = 512;
  constexpr int64_t kColumns = 35;
  for (const DType stored :
       {DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    std::vector<std::byte> bytes(stored_bytes(stored, kDepth * kColumns));
    std::mt19937 engine(5);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(engine() & 0x3f);
    for (const DType packed : {DType::kF32, DType::kQ8_0, DType::kQ4_1, DType::kQ5_1}) {
      if (!can_pack(stored, packed)) continue;
      RowConverter converter(stored, packed, kDepth);
      std::vector<float> expected(kDepth);
      WeightArena arena;
      const WeightMatrix matrix = pack_into(arena, stored, bytes, kDepth, kColumns, packed);
      std::vector<float> column(kDepth);
      for (int64_t c = 0; c < kColumns; ++c) {
        matrix.read_column(c, column.data());
        const size_t row_bytes = stored_bytes(stored, kDepth);
        const auto row = std::span(bytes).subspan(static_cast<size_t>(c) * row_bytes, row_bytes);
        dequantise(packed, converter.convert(row), expected);
        ASSERT_EQ(column, expected) << dtype_name(stored);
      }
    }
  }
}

TEST(WeightMatrix, GivesAColumnOneScaleWhateverIsStored) {
  constexpr int64_t kDepth = 96;
  constexpr int64_t kColumns = 40;
  for (const DType stored : {DType::kF32, DType::kBF16, DType::kQ8_0}) {
    std::vector<float> values = random_floats(kDepth * kColumns);
    std::vector<std::byte> bytes(stored_bytes(stored, kDepth * kColumns));
    quantise(stored, values, bytes);
    dequantise(stored, bytes, values);
    WeightArena arena;
    const WeightMatrix matrix = pack_into(arena, stored, bytes, kDepth, kColumns, DType::kW8);
    std::vector<float> column(kDepth);
    std::vector<int8_t> q(kDepth);
    for (int64_t c = 0; c < kColumns; ++c) {
      matrix.read_column(c, column.data());
      const float scale = quantise_together(std::span(values).subspan(c * kDepth, kDepth), q);
      for (int64_t k = 0; k < kDepth; ++k) ASSERT_EQ(column[k], scale * static_cast<float>(q[k]));
    }
  }
}

TEST(WeightMatrix, TakesTheBytesOfItsBlocks) {
  EXPECT_EQ(packed_bytes(DType::kF32, 172, 64), 172 * 64 * 4);
  EXPECT_EQ(packed_bytes(DType::kQ8_0, 896, 4864), 896 / 32 * 34 * 4864);
  EXPECT_EQ(packed_bytes(DType::kW8, 896, 4864), (896 + 4) * 4864);
  EXPECT_EQ(packed_bytes(DType::kQ4_0, 896, 33), 896 / 32 * 18 * 64) << "columns are rounded up to a panel";
}

}  // namespace
}  // namespace feilun::compute
