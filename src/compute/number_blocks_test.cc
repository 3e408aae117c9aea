#include "compute/number_blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "compute/isa.h"

namespace feilun::compute {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class NumberBlocksTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!machine_has(GetParam())) GTEST_SKIP() << "this machine has no " << isa_name(GetParam());
  }
  NumberBlocks blocks() const { return NumberBlocks(kernels_for(GetParam())); }
};

/// Few different numbers, so that many are equal.
std::vector<float> random_numbers(size_t count, uint32_t seed) {
  std::mt19937 engine(seed);
  std::vector<float> numbers(count);
  for (float& x : numbers) x = static_cast<float>(engine() % 200) / 10.0f - 10.0f;
  return numbers;
}

TEST_P(NumberBlocksTest, FindsTheBestAsSortingDoes) {
  NumberBlocks blocks = this->blocks();
  for (const size_t count : {1, 63, 64, 65, 1000, 5000}) {
    std::vector<float> numbers = random_numbers(count, static_cast<uint32_t>(count));
    for (size_t i = 3; i < count; i += 7) numbers[i] = i % 2 == 0 ? kNaN : -kInfinity;
    blocks.read(numbers);
    std::vector<int64_t> sorted;
    for (size_t i = 0; i < count; ++i) {
      if (numbers[i] > -kInfinity) sorted.push_back(static_cast<int64_t>(i));
    }
    std::ranges::sort(sorted, [&](int64_t a, int64_t b) {
      return numbers[a] != numbers[b] ? numbers[a] > numbers[b] : a < b;
    });
    EXPECT_EQ(blocks.largest_at(), sorted.front());
    EXPECT_EQ(blocks.largest(), numbers[sorted.front()]);
    for (const size_t k : {0, 1, 2, 20, 79, 80, 600, 6000}) {
      std::vector<int64_t> expected(sorted.begin(), sorted.begin() + std::min(k, sorted.size()));
      std::ranges::sort(expected);
      const auto found = blocks.best(static_cast<int64_t>(k));
      EXPECT_EQ(std::vector<int64_t>(found.begin(), found.end()), expected) << count << " " << k;
    }
  }
}

TEST_P(NumberBlocksTest, VisitsInOrderWhatIsLargeEnough) {
  NumberBlocks blocks = this->blocks();
  const std::vector<float> numbers = random_numbers(777, 1);
  blocks.read(numbers);
  std::vector<int64_t> expected;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] >= 8.0f) expected.push_back(static_cast<int64_t>(i));
  }
  std::vector<int64_t> found;
  blocks.each_from(8.0f, [&](int64_t place, float number) {
    EXPECT_EQ(number, numbers[place]);
    found.push_back(place);
  });
  EXPECT_EQ(found, expected);
}

TEST_P(NumberBlocksTest, WeighsAndPicksByShare) {
  NumberBlocks blocks = this->blocks();
  std::vector<float> numbers = random_numbers(331, 2);
  numbers[5] = kNaN;
  numbers[330] = -kInfinity;
  blocks.read(numbers);
  std::vector<double> weights;
  double total = 0;
  for (const float x : numbers) {
    weights.push_back(x > -kInfinity ? std::exp((x - blocks.largest()) * 0.5) : 0);
    total += weights.back();
  }
  EXPECT_NEAR(blocks.weigh(0.5f), total, 1e-5 * total);
  double passed = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    EXPECT_EQ(blocks.pick((passed + weights[i] / 2) / total), static_cast<int64_t>(i));
    passed += weights[i];
  }
  EXPECT_EQ(blocks.pick(std::nextafter(1.0, 0.0)), 329) << "never one without weight";
}

TEST_P(NumberBlocksTest, FindsNothingWhereThereIsNothing) {
  NumberBlocks blocks = this->blocks();
  const std::vector<float> numbers(100, kNaN);
  blocks.read(numbers);
  EXPECT_EQ(blocks.largest(), -kInfinity);
  EXPECT_EQ(blocks.largest_at(), -1);
  EXPECT_TRUE(blocks.best(5).empty());
}

TEST_P(NumberBlocksTest, DotsRowsOfAnyLength) {
  for (int64_t count = 0; count < 100; ++count) {
    const std::vector<float> a = random_numbers(count, 3);
    const std::vector<float> b = random_numbers(count, 4);
    double expected = 0;
    for (int64_t i = 0; i < count; ++i) expected += static_cast<double>(a[i]) * b[i];
    EXPECT_NEAR(kernels_for(GetParam()).dot(a.data(), b.data(), count), expected, 1e-3) << count;
  }
}

INSTANTIATE_TEST_SUITE_P(EachIsa, NumberBlocksTest, testing::ValuesIn(kAllIsas),
                         [](const auto& info) { return std::string(isa_name(info.param)); });

}  // namespace
}  // namespace feilun::compute
