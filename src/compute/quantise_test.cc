#include "compute/quantise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/json.h"
#include "compute/half.h"

namespace feilun::compute {
namespace {

std::string read_golden(const std::string& name) {
  std::ifstream file(std::string(FEILUN_SOURCE_DIR) + "/tests/golden/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::byte> from_hex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::vector<float> as_floats(const std::vector<std::byte>& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

DType type_named(std::string_view name) {
  for (const DType type : {DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0}) {
    if (dtype_name(type) == name) return type;
  }
  return DType::kF32;
}

TEST(Quantise, AgreesWithGgufToTheBit) {
  const auto document = JsonDocument::parse(read_golden("quantised_blocks.json"));
  ASSERT_TRUE(document) << document.error().message;
  int quantised = 0;
  for (const auto entry : document->root().get_array()) {
    const DType type = type_named(std::string_view(entry["type"]));
    const auto bytes = from_hex(entry["bytes"]);
    const auto back = as_floats(from_hex(entry["back"]));
    std::vector<float> out(back.size());
    dequantise(type, bytes, out);
    EXPECT_EQ(std::memcmp(out.data(), back.data(), out.size() * sizeof(float)), 0) << dtype_name(type);
    std::string_view values;
    if (entry["values"].get(values) != simdjson::SUCCESS) continue;
    std::vector<std::byte> again(bytes.size());
    quantise(type, as_floats(from_hex(values)), again);
    EXPECT_EQ(again, bytes) << dtype_name(type) << " case " << quantised;
    ++quantised;
  }
  EXPECT_EQ(quantised, 40);
}

TEST(Quantise, SurvivesNumbersThatAreNone) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const float odd : {nan, inf, -inf, 1e-45f, 3e38f}) {
    std::vector<float> row(32, odd);
    row[3] = -1;
    for (const DType type : {DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0}) {
      std::vector<std::byte> bytes(stored_bytes(type, 32));
      quantise(type, row, bytes);
      std::vector<float> back(32);
      dequantise(type, bytes, back);
    }
  }
}

TEST(Half, ReturnsFromEveryPattern) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
    } else {
      EXPECT_EQ(f32_to_f16(value), half);
    }
    const float wide = bf16_to_f32(half);
    if (!std::isnan(wide)) {
      EXPECT_EQ(f32_to_bf16(wide), half);
    }
  }
}

TEST(Half, RoundsToNearestWithTiesToEven) {
  // Halfway between each pair of neighbours lies a float; it goes to the even one, and a step beside it does
  // not.
  for (uint16_t half = 0; half < 0x7bff; ++half) {
    const float middle = (f16_to_f32(half) + f16_to_f32(static_cast<uint16_t>(half + 1))) / 2;
    const uint16_t even = half % 2 == 0 ? half : static_cast<uint16_t>(half + 1);
    EXPECT_EQ(f32_to_f16(middle), even);
    EXPECT_EQ(f32_to_f16(std::nextafterf(middle, 0.0f)), half);
    EXPECT_EQ(f32_to_f16(std::nextafterf(middle, 1e9f)), half + 1);
    EXPECT_EQ(f32_to_f16(-middle), even | 0x8000);
  }
  EXPECT_EQ(f32_to_f16(65519.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
  EXPECT_EQ(f32_to_bf16(1.00390625f), 0x3f80);
  EXPECT_EQ(f32_to_bf16(1.01171875f), 0x3f82);
}

}  // namespace
}  // namespace feilun::compute
