#include "pricing/machine_cost.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

namespace feilun::pricing {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;

MachinePrice half_a_yuan() {
  return {.per_hour = Money::parse("0.50").value(), .currency = "CNY"};
}

TEST(MachineCost, LosesNoPicoUnitInHoweverManyPieces) {
  MachineCost cost(half_a_yuan());
  std::mt19937_64 random(1);
  Money sum;
  nanoseconds left = hours(3);
  while (left.count() > 0) {
    const auto piece = std::min(left, nanoseconds(static_cast<int64_t>(random() % 1'000'000'000)));
    const Money part = cost.accrue(piece);
    EXPECT_FALSE(part.is_negative());
    sum += part;
    left -= piece;
  }
  EXPECT_EQ(sum, Money::parse("1.50").value());
  EXPECT_EQ(cost.total(), sum);
}

TEST(MachineCost, CountsASeventhOfAPicoUnitANanosecond) {
  MachineCost cost(half_a_yuan());
  Money sum;
  for (int i = 0; i < 36; ++i) sum += cost.accrue(nanoseconds(1));
  EXPECT_EQ(sum, Money::pico(5));  // 36 × 0.138…
}

TEST(MachineCost, StaysExactWhenThreadsMeet) {
  MachineCost cost(half_a_yuan());
  std::vector<Money> sums(4);
  {
    std::vector<std::jthread> threads;
    for (Money& sum : sums) {
      threads.emplace_back([&cost, &sum] {
        for (int i = 0; i < 10'000; ++i) sum += cost.accrue(nanoseconds(90'000'000));
      });
    }
  }
  EXPECT_EQ(sums[0] + sums[1] + sums[2] + sums[3], Money::parse("0.50").value());
}

TEST(MachineCost, ReadsAPriceAnHour) {
  EXPECT_EQ(parse_price_per_hour("0.50/h").value(), Money::parse("0.5").value());
  EXPECT_EQ(parse_price_per_hour("0/h").value(), Money());
  for (const char* wrong : {"0.50", "/h", "-1/h", "0.50/s", "100000001/h", "x/h"}) {
    EXPECT_FALSE(parse_price_per_hour(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace feilun::pricing
