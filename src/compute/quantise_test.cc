#include "compute/quantise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
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
  for (uint32_t id = 0; id < 64; ++id) {
    const auto type = static_cast<DType>(id);
    if (block_layout(type).elements > 0 && dtype_name(type) == name) return type;
  }
  ADD_FAILURE() << name;
  return DType::kF32;
}

/// The cases of the golden file that have a field `name`.
std::vector<simdjson::dom::element> cases_with(const JsonDocument& document, std::string_view name) {
  std::vector<simdjson::dom::element> cases;
  for (const auto entry : document.root().get_array()) {
    if (entry[name].error() == simdjson::SUCCESS) cases.push_back(entry);
  }
  return cases;
}

const JsonDocument& golden_blocks() {
  static const JsonDocument document = JsonDocument::parse(read_golden("quantised_blocks.json")).value();
  return document;
}

TEST(Dequantise, AgreesWithGgufToTheBit) {
  std::map<DType, int> checked;
  for (const auto entry : cases_with(golden_blocks(), "back")) {
    const DType type = type_named(std::string_view(entry["type"]));
    const auto back = as_floats(from_hex(entry["back"]));
    std::vector<float> out(back.size());
    dequantise(type, from_hex(entry["bytes"]), out);
    EXPECT_EQ(std::memcmp(out.data(), back.data(), out.size() * sizeof(float)), 0) << dtype_name(type);
    ++checked[type];
  }
  EXPECT_EQ(checked.size(), 10) << "every type but F32, which is itself";
}

/// Blocks as tools/golden/quantised_blocks.py draws them.
std::vector<std::byte> drawn_blocks(DType type, uint64_t seed, size_t count) {
  const size_t size = block_layout(type).bytes;
  std::vector<std::byte> bytes(count * size);
  for (std::byte& byte : bytes) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::byte>(seed >> 56);
  }
  const bool has_minimum =
      type == DType::kQ4_1 || type == DType::kQ5_1 || type == DType::kQ4_K || type == DType::kQ5_K;
  for (size_t at = 0; at < bytes.size(); at += size) {
    bytes[at + (type == DType::kQ6_K ? 209 : 1)] &= std::byte{0xbf};
    if (has_minimum) bytes[at + 3] &= std::byte{0xbf};
  }
  return bytes;
}

std::string fnv1a(std::span<const std::byte> bytes) {
  uint64_t digest = 0xcbf29ce484222325;
  for (const std::byte byte : bytes) digest = (digest ^ std::to_integer<uint64_t>(byte)) * 0x100000001b3;
  return fmt::format("{:016x}", digest);
}

TEST(Dequantise, AgreesWithGgufOnManyRandomBlocks) {
  const auto cases = cases_with(golden_blocks(), "digest");
  EXPECT_EQ(cases.size(), 8);
  for (const auto entry : cases) {
    const DType type = type_named(std::string_view(entry["type"]));
    const auto count = static_cast<size_t>(uint64_t{entry["blocks"]});
    std::vector<float> out(count * static_cast<size_t>(block_layout(type).elements));
    dequantise(type, drawn_blocks(type, entry["seed"], count), out);
    EXPECT_EQ(fnv1a(std::as_bytes(std::span(out))), std::string_view(entry["digest"])) << dtype_name(type);
  }
}

TEST(Quantise, AgreesWithGgufToTheBit) {
  const auto cases = cases_with(golden_blocks(), "values");
  EXPECT_EQ(cases.size(), 40);
  for (size_t i = 0; i < cases.size(); ++i) {
    const DType type = type_named(std::string_view(cases[i]["type"]));
    const auto bytes = from_hex(cases[i]["bytes"]);
    std::vector<std::byte> again(bytes.size());
    quantise(type, as_floats(from_hex(cases[i]["values"])), again);
    EXPECT_EQ(again, bytes) << dtype_name(type) << " case " << i;
  }
}

TEST(Quantise, RoundsHalvesAwayFromZero) {
  // 127 makes the scale exactly one.
  std::vector<float> row = {127,         0.5f,         -0.5f,  1.5f,    -1.5f,
                            0.49999997f, -0.49999997f, 126.5f, -126.5f, 2.4999998f};
  row.resize(32);
  std::vector<std::byte> bytes(34);
  quantise(DType::kQ8_0, row, bytes);
  std::vector<float> back(32);
  dequantise(DType::kQ8_0, bytes, back);
  back.resize(10);
  EXPECT_EQ(back, std::vector<float>({127, 1, -1, 2, -2, 0, 0, 127, -127, 2}));
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

TEST(Dequantise, TakesAnyBytes) {
  for (uint32_t id = 0; id < 64; ++id) {
    const auto type = static_cast<DType>(id);
    const BlockLayout layout = block_layout(type);
    if (layout.elements == 0) continue;
    for (const std::byte fill : {std::byte{0x00}, std::byte{0x7f}, std::byte{0x80}, std::byte{0xff}}) {
      std::vector<float> out(static_cast<size_t>(layout.elements) * 2);
      dequantise(type, std::vector<std::byte>(layout.bytes * 2, fill), out);
    }
    dequantise(type, {}, {});
  }
}

TEST(DType, NamesWhatItDoesNotRead) {
  EXPECT_EQ(type_id_name(23), "IQ4_XS");
  EXPECT_EQ(type_id_name(39), "MXFP4");
  EXPECT_EQ(type_id_name(12), "Q4_K");
  EXPECT_EQ(type_id_name(77), "type 77");
  EXPECT_EQ(supported_type_names(), "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K");
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
