// The row kernels that encoders need, against double precision and against each other.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "compute/isa.h"
#include "compute/kernels.h"

namespace feilun::compute {
namespace {

std::vector<const Kernels*> every_kernels() {
  std::vector<const Kernels*> all;
  for (const Isa isa : kAllIsas) {
    if (machine_has(isa)) all.push_back(&kernels_for(isa));
  }
  return all;
}

std::vector<float> waves(int64_t count, float phase, float height) {
  std::vector<float> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(height * std::sin(phase + 0.7f * static_cast<float>(i)));
  return out;
}

TEST(LayerNorm, BringsARowToMeanAndVarianceOfTheWeights) {
  for (const int64_t count : {1, 15, 16, 17, 32, 384, 1000}) {
    std::vector<float> x = waves(count, 1, 3);
    for (float& value : x) value += 5;
    const std::vector<float> weight = waves(count, 2, 1);
    const std::vector<float> bias = waves(count, 3, 0.5f);
    double mean = 0;
    double variance = 0;
    for (const float value : x) mean += value / static_cast<double>(count);
    for (const float value : x) variance += (value - mean) * (value - mean) / static_cast<double>(count);
    for (const Kernels* kernels : every_kernels()) {
      std::vector<float> out = x;
      kernels->layer_norm(out.data(), weight.data(), bias.data(), 1e-5f, count, out.data());
      for (size_t i = 0; i < out.size(); ++i) {
        const double expected = weight[i] * ((x[i] - mean) / std::sqrt(variance + 1e-5)) + bias[i];
        EXPECT_NEAR(out[i], expected, 3e-6) << count << " " << i;
      }
    }
  }
}

TEST(Gelu, IsTheNormalDistributionTimesX) {
  std::vector<float> x;
  for (int i = -1600; i < 1600; ++i) x.push_back(static_cast<float>(i) / 128.0f);
  for (const float far : {-1e30f, -100.0f, 100.0f, 1e30f, 0.0f, -0.0f, 1e-30f, -1e-30f}) x.push_back(far);
  x.resize((x.size() + 15) / 16 * 16);
  for (const Kernels* kernels : every_kernels()) {
    std::vector<float> out = x;
    kernels->gelu(out.data(), static_cast<int64_t>(out.size()), out.data());
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = 0.5 * x[i] * std::erfc(-x[i] / std::sqrt(2.0));
      EXPECT_NEAR(out[i], exact, 1.5e-7 * std::max(1.0f, std::fabs(x[i]))) << x[i];
    }
  }
}

TEST(Gelu, KeepsWhatIsNoNumber) {
  const std::vector<float> x(16, std::numeric_limits<float>::quiet_NaN());
  for (const Kernels* kernels : every_kernels()) {
    std::vector<float> out(16);
    kernels->gelu(x.data(), 16, out.data());
    for (const float y : out) EXPECT_TRUE(std::isnan(y));
  }
}

}  // namespace
}  // namespace feilun::compute
