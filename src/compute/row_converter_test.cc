#include "compute/row_converter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "compute/half.h"
#include "compute/quantise.h"

namespace feilun::compute {
namespace {

constexpr int64_t kDepth = 32 * 256;

/// A row of random codes whose scales lie near those of real weights.
std::vector<std::byte> random_row(DType type) {
  std::mt19937 engine(static_cast<uint32_t>(type));
  std::vector<std::byte> bytes(stored_bytes(type, kDepth));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(engine());
  const auto put = [&](size_t at, float value) {
    const uint16_t bits = f32_to_f16(value);
    std::memcpy(&bytes[at], &bits, sizeof bits);
  };
  const bool k_type = block_layout(type).elements == 256;
  for (size_t at = 0; at < bytes.size(); at += block_layout(type).bytes) {
    const float scale = 0.001f + 1e-5f * static_cast<float>(engine() % 1000);
    const bool five = type == DType::kQ5_1 || type == DType::kQ5_K;
    const float minimum =
        scale * (five ? 15.5f : 7.5f) * (0.8f + 0.0004f * static_cast<float>(engine() % 1000));
    put(at + (type == DType::kQ6_K ? 208 : 0), k_type ? scale / 32 : scale);
    if (type == DType::kQ4_1 || type == DType::kQ5_1) put(at + 2, -minimum);
    if (type == DType::kQ4_K || type == DType::kQ5_K) put(at + 2, minimum / 32);
  }
  return bytes;
}

/// The relative RMS error of a row of one type once it is another.
double error_of(DType from, DType to) {
  const auto row = random_row(from);
  std::vector<float> exact(kDepth);
  dequantise(from, row, exact);
  std::vector<float> found(kDepth);
  RowConverter converter(from, to, kDepth);
  dequantise(to, converter.convert(row), found);
  double error = 0;
  double power = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    error += (found[i] - exact[i]) * (found[i] - exact[i]);
    power += exact[i] * exact[i];
  }
  return std::sqrt(error / power);
}

TEST(RowConverter, LosesNothingOfFiveBitsWithoutAMinimum) {
  EXPECT_EQ(error_of(DType::kQ5_0, DType::kQ8_0), 0);
}

TEST(RowConverter, LosesOfAKTypeOnlyWhatF16RoundsOfItsScales) {
  EXPECT_LT(error_of(DType::kQ4_K, DType::kQ4_1), 4e-4);
  EXPECT_LT(error_of(DType::kQ5_K, DType::kQ5_1), 4e-4);
}

TEST(RowConverter, RoundsOtherTypesToTheNearestCode) {
  const double error = error_of(DType::kQ6_K, DType::kQ8_0);
  EXPECT_LT(error, 0.006);
  EXPECT_GT(error, 0.004);
}

TEST(RowConverter, TakesHostileScales) {
  for (uint32_t id = 0; id < 64; ++id) {
    const auto type = static_cast<DType>(id);
    const BlockLayout layout = block_layout(type);
    if (layout.elements == 0) continue;
    for (const uint16_t scale : {0x0000, 0x0001, 0x8001, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0xffff}) {
      std::vector<std::byte> row(stored_bytes(type, 512));
      for (size_t i = 0; i < row.size(); ++i)
        row[i] = static_cast<std::byte>(i % 2 == 0 ? scale : scale >> 8);
      for (const DType to :
           {DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_1, DType::kF16, DType::kF32}) {
        if (!RowConverter::can_convert(type, to)) continue;
        EXPECT_EQ(RowConverter(type, to, 512).convert(row).size(), stored_bytes(to, 512));
      }
    }
  }
}

}  // namespace
}  // namespace feilun::compute
