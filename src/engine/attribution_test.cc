#include "engine/attribution.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace feilun::engine {
namespace {

using scheduler::StepCost;
using scheduler::StepWork;
using std::chrono::nanoseconds;

/// Reading the weights takes as long as 16 rows.
constexpr StepCost kCost{
    .fixed = 1600, .row = 100, .row_beyond = 0, .crossover = 1e9, .pair = 1, .kv_token = 2, .sample = 0};

nanoseconds total(const StepShares& shares) {
  return std::accumulate(shares.useful.begin(), shares.useful.end(), shares.wasted);
}

TEST(Attribution, SharesEquallyAmongEquals) {
  const std::vector<StepLoad> loads(4, {.useful = StepWork::decode(100)});
  const StepShares shares = share_step(nanoseconds(1000), loads, kCost);
  EXPECT_EQ(shares.useful, std::vector<nanoseconds>(4, nanoseconds(250)));
  EXPECT_EQ(shares.wasted.count(), 0);
}

TEST(Attribution, ChargesAPromptForItsWorkAndADecodeForItsSeat) {
  const std::vector<StepLoad> loads = {{.useful = {.rows = 100, .attention = 1000}},
                                       {.useful = {.rows = 1, .kv_read = 150}}};
  // 1,600 for the weights, halved; 10,000 + 1,000 for the prompt; 100 + 300 for the decode. Measured: half.
  const StepShares shares = share_step(nanoseconds(6'500), loads, kCost);
  EXPECT_EQ(shares.useful, (std::vector{nanoseconds(5'900), nanoseconds(600)}));
}

TEST(Attribution, SharesNoWeightsWhereArithmeticBounds) {
  const StepCost cost{.fixed = 1000, .row = 0, .row_beyond = 100, .crossover = 10, .pair = 0, .kv_token = 0};
  const std::vector<StepLoad> loads = {{.useful = {.rows = 99}}, {.useful = {.rows = 1}}};
  const StepShares shares = share_step(nanoseconds(10'000), loads, cost);
  EXPECT_EQ(shares.useful, (std::vector{nanoseconds(9'900), nanoseconds(100)}));
}

TEST(Attribution, BooksRedoneWorkAndItsSeatAsWaste) {
  const std::vector<StepLoad> loads = {{.wasted = {.rows = 16}}, {.useful = {.rows = 16}}};
  const StepShares shares = share_step(nanoseconds(100), loads, kCost);
  EXPECT_EQ(shares.useful[0].count(), 0);
  EXPECT_EQ(shares.useful[1].count(), 50);
  EXPECT_EQ(shares.wasted.count(), 50);

  const std::vector<StepLoad> mixed = {{.useful = {.rows = 8}, .wasted = {.rows = 8}}};
  EXPECT_EQ(share_step(nanoseconds(100), mixed, kCost).wasted.count(), 50);
}

TEST(Attribution, SumsToTheMeasuredTimeExactly) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<StepLoad> loads(1 + random() % 64);
    bool wasted = false;
    for (StepLoad& load : loads) {
      load.useful = StepWork::chunk(static_cast<int64_t>(random() % 5'000),
                                    static_cast<int64_t>(random() % 300), random() % 2 == 0);
      if (random() % 30 == 0) load.wasted = StepWork::chunk(0, static_cast<int64_t>(random() % 300), false);
      wasted |= load.wasted.rows > 0;
    }
    const nanoseconds measured(static_cast<int64_t>(random() % 100'000'000'000));
    const StepCost cost{.fixed = static_cast<double>(random() % 3) * 1e6,
                        .row = static_cast<double>(random() % 2) * 1e4,
                        .pair = static_cast<double>(random() % 2) * 25,
                        .sample = 0};
    const StepShares shares = share_step(measured, loads, cost);
    ASSERT_EQ(total(shares), measured);
    ASSERT_EQ(shares.useful.size(), loads.size());
    for (const nanoseconds share : shares.useful) ASSERT_GE(share.count(), 0);
    if (!wasted) {
      ASSERT_EQ(shares.wasted.count(), 0);
    }
  }
}

TEST(Attribution, SharesEquallyWhereTheModelKnowsNothing) {
  const StepCost nothing{.fixed = 0, .row = 0, .row_beyond = 0, .pair = 0, .kv_token = 0, .sample = 0};
  const std::vector<StepLoad> loads(3, {.useful = {.rows = 5}});
  const StepShares shares = share_step(nanoseconds(301), loads, nothing);
  EXPECT_EQ(total(shares).count(), 301);
  for (const nanoseconds share : shares.useful) EXPECT_NEAR(static_cast<double>(share.count()), 100, 1);
  EXPECT_EQ(shares.wasted.count(), 0);
}

}  // namespace
}  // namespace feilun::engine
