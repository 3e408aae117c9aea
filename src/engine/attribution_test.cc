#include "engine/attribution.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace feilun::engine {
namespace {

using std::chrono::nanoseconds;

nanoseconds total(const StepShares& shares) {
  return std::accumulate(shares.useful.begin(), shares.useful.end(), shares.wasted);
}

TEST(Attribution, SharesEquallyAmongEquals) {
  const std::vector<StepLoad> loads(4, {.useful_tokens = 1});
  const StepShares shares = share_step(nanoseconds(1000), loads);
  EXPECT_EQ(shares.useful, std::vector<nanoseconds>(4, nanoseconds(250)));
  EXPECT_EQ(shares.wasted.count(), 0);
}

TEST(Attribution, ChargesAPromptForItsTokensAndADecodeForItsSeat) {
  const std::vector<StepLoad> loads = {{.useful_tokens = 112}, {.useful_tokens = 0}};
  // 16 fixed and 112 tokens: 1,280 ns are 10 for each, the fixed 160 halved.
  const StepShares shares = share_step(nanoseconds(1280), loads);
  EXPECT_EQ(shares.useful, (std::vector{nanoseconds(1200), nanoseconds(80)}));
}

TEST(Attribution, BooksRedoneTokensAsWaste) {
  const std::vector<StepLoad> loads = {{.useful_tokens = 0, .wasted_tokens = 16}};
  const StepShares shares = share_step(nanoseconds(100), loads);
  EXPECT_EQ(shares.useful[0].count(), 50);
  EXPECT_EQ(shares.wasted.count(), 50);
}

TEST(Attribution, SumsToTheMeasuredTimeExactly) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<StepLoad> loads(1 + random() % 64);
    bool wasted = false;
    for (StepLoad& load : loads) {
      load = {.useful_tokens = static_cast<int>(random() % 300),
              .wasted_tokens = static_cast<int>(random() % 3)};
      wasted |= load.wasted_tokens > 0;
    }
    const nanoseconds measured(static_cast<int64_t>(random() % 100'000'000'000));
    const StepShares shares = share_step(measured, loads);
    ASSERT_EQ(total(shares), measured);
    for (const nanoseconds share : shares.useful) ASSERT_GE(share.count(), 0);
    if (!wasted) {
      ASSERT_EQ(shares.wasted.count(), 0);
    }
  }
}

}  // namespace
}  // namespace feilun::engine
