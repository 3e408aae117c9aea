#include "model/weight_packing.h"

#include <gtest/gtest.h>

#include <utility>

namespace feilun::model {
namespace {

using compute::DType;

constexpr DType kFloats[] = {DType::kF32, DType::kF16, DType::kBF16};
DType layer_type(DType stored, WeightConversion conversion, int64_t depth = 256) {
  return packed_type(stored, depth, MatrixUse::kLayer, conversion);
}

TEST(WeightPacking, KeepsWhatKernelsMultiply) {
  for (const DType type :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1, DType::kQ5_1}) {
    EXPECT_EQ(layer_type(type, std::nullopt), type);
  }
}

TEST(WeightPacking, BringsTheOtherTypesToTheNearestOneWhateverIsAsked) {
  const std::pair<DType, DType> nearest[] = {{DType::kQ4_K, DType::kQ4_1},
                                             {DType::kQ5_K, DType::kQ5_1},
                                             {DType::kQ5_0, DType::kQ8_0},
                                             {DType::kQ6_K, DType::kQ8_0}};
  for (const auto& [type, packed] : nearest) {
    for (const WeightConversion asked : {WeightConversion(), {DType::kQ8_0}, {DType::kQ4_0}}) {
      EXPECT_EQ(layer_type(type, asked), packed) << compute::dtype_name(type);
      EXPECT_EQ(packed_type(type, 256, MatrixUse::kOutput, asked), packed);
    }
    EXPECT_EQ(layer_type(type, DType::kF32), DType::kF32);
  }
}

TEST(WeightPacking, AppliesARequestToFloats) {
  for (const DType type : kFloats) {
    EXPECT_EQ(layer_type(type, DType::kQ8_0), DType::kQ8_0);
    EXPECT_EQ(layer_type(type, DType::kQ4_0), DType::kQ4_0);
    EXPECT_EQ(packed_type(type, 256, MatrixUse::kOutput, DType::kQ4_0), DType::kQ8_0);
    EXPECT_EQ(layer_type(type, DType::kQ8_0, 172), DType::kF32) << "172 is no multiple of 32";
    EXPECT_EQ(layer_type(type, std::nullopt, 172), type);
  }
}

TEST(WeightPacking, GivesEightBitsOneScaleAColumnButForTheOutput) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ6_K}) {
    EXPECT_EQ(layer_type(type, DType::kW8), DType::kW8) << compute::dtype_name(type);
    EXPECT_EQ(packed_type(type, 256, MatrixUse::kOutput, DType::kW8), DType::kQ8_0);
  }
  EXPECT_EQ(layer_type(DType::kF16, DType::kW8, 172), DType::kF32) << "172 is no multiple of 32";
  EXPECT_EQ(layer_type(DType::kQ4_0, DType::kW8), DType::kQ4_0) << "fewer bits are not made more";
  EXPECT_EQ(layer_type(DType::kQ4_K, DType::kW8), DType::kQ4_1);
}

TEST(WeightPacking, NeverRoundsQuantisedWeightsToFourBits) {
  EXPECT_EQ(layer_type(DType::kQ8_0, DType::kQ4_0), DType::kQ8_0);
  EXPECT_EQ(layer_type(DType::kQ4_0, DType::kQ8_0), DType::kQ4_0);
  EXPECT_EQ(layer_type(DType::kQ4_0, DType::kF32), DType::kF32);
}

}  // namespace
}  // namespace feilun::model
