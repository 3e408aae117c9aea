#include <gtest/gtest.h>

#include <vector>

#include "scheduler/scheduler.h"

// Guesses in plans: when there are some, and what becomes of right and wrong ones.

namespace feilun::scheduler {
namespace {

constexpr MonoTime kNow{};
/// A step takes a second whatever is in it: guesses are free.
constexpr StepCost kWaitsForMemory{.fixed = 1e9, .row = 0, .row_beyond = 0, .sample = 0};
/// Each row takes as long as the rest: only sure guesses pay.
constexpr StepCost kWaitsForArithmetic{.fixed = 1e3, .row = 1e9, .row_beyond = 0, .sample = 0};

/// One sequence whose prompt says 1 … 6 and then 1 2 again; its first sampled token is 3.
class GuessTest : public testing::Test {
 protected:
  explicit GuessTest(TokenCount max_tokens = 40)
      : scheduler_({.block_count = 8, .cache = CachePolicy::kOff, .speculate = true}) {
    const Result<> accepted = scheduler_.submit(
        {.id = 1, .prompt = {1, 2, 3, 4, 5, 6, 1, 2}, .max_tokens = max_tokens, .allowed_tokens = max_tokens},
        kNow);
    EXPECT_TRUE(accepted);
    EXPECT_TRUE(plan(kWaitsForMemory).guess.empty()) << "a prompt brings none";
    done({3});
  }

  PlannedSlice plan(const StepCost& cost) { return scheduler_.plan(kNow, cost).slices.at(0); }
  void done(std::vector<int32_t> sampled) { scheduler_.step_done(sampled, kNow); }
  static std::vector<int32_t> guess(const PlannedSlice& slice) {
    return {slice.guess.begin(), slice.guess.end()};
  }

  Scheduler scheduler_;
};

using Tokens = std::vector<int32_t>;

TEST_F(GuessTest, ComesFromWhatFollowedBeforeAndFillsOnlyBlocksAtHand) {
  const PlannedSlice slice = plan(kWaitsForMemory);
  EXPECT_EQ(guess(slice), (Tokens{4, 5, 6, 1, 2, 3}));
  EXPECT_EQ(slice.from, 8);
  EXPECT_EQ(slice.count, 1);
  EXPECT_EQ(slice.blocks.size(), 1u) << "16 tokens hold them all";
  done({9});
}

TEST_F(GuessTest, RightOnesAreComputedWrongOnesAreNot) {
  plan(kWaitsForMemory);
  done({4, 5, 9});
  const PlannedSlice next = plan(kWaitsForMemory);
  EXPECT_EQ(next.from, 11) << "3, 4 and 5 are in the cache, 9 is not";
  EXPECT_EQ(next.recomputed, 0);
  EXPECT_TRUE(next.guess.empty()) << "nothing followed 4 5 9 before";
  done({1});
}

TEST_F(GuessTest, AllRightBringOneTokenMore) {
  plan(kWaitsForMemory);
  done({4, 5, 6, 1, 2, 3, 4});
  const PlannedSlice next = plan(kWaitsForMemory);
  EXPECT_EQ(next.from, 15);
  EXPECT_TRUE(next.guess.empty()) << "the block is full, and guesses take no other";
  done({5});
}

TEST_F(GuessTest, ARightOneMayBeTheEnd) {
  plan(kWaitsForMemory);
  done({4, Scheduler::kNoToken});
  scheduler_.end(1, FinishClass::kEnd, kNow);
  scheduler_.check();
  EXPECT_TRUE(scheduler_.plan(kNow, kWaitsForMemory).slices.empty());
}

TEST_F(GuessTest, ThereAreNoneWhereTheirRowsTakeLongerThanTheyGain) {
  EXPECT_TRUE(plan(kWaitsForArithmetic).guess.empty());
  done({4});
}

TEST_F(GuessTest, WrongOnesMakeTheNextShorterWhereRowsCost) {
  constexpr StepCost kSome{.fixed = 1e9, .row = 2e8, .row_beyond = 0, .sample = 0};
  const size_t before = plan(kSome).guess.size();
  done({
      1,
  });
  plan(kSome);
  done({2});
  plan(kSome);
  done({3});  // 1 2 3 again
  const size_t after = plan(kSome).guess.size();
  done({9});
  EXPECT_GT(before, 0u);
  EXPECT_LT(after, before);
}

TEST_F(GuessTest, ThoseThatWereNotWorthTheirRowsAreWatchedAllTheSame) {
  for (int32_t token = 4; token != 3; token = token % 6 + 1) {
    EXPECT_TRUE(plan(kWaitsForArithmetic).guess.empty());
    done({token});  // the prompt again, as it would have been guessed
  }
  constexpr StepCost kHalf{.fixed = 1e9, .row = 2.5e9, .row_beyond = 0, .sample = 0};
  EXPECT_FALSE(plan(kHalf).guess.empty()) << "a row takes 0.7 of a step: half a chance would not have paid";
  done({9});
}

class ShortGuessTest : public GuessTest {
 protected:
  ShortGuessTest() : GuessTest(4) {}
};

TEST_F(ShortGuessTest, NeverGoesBeyondWhatMayBeSampled) {
  EXPECT_EQ(guess(plan(kWaitsForMemory)), (Tokens{4, 5})) << "one was sampled, one comes without a guess";
  done({4, 5, 6});
}

}  // namespace
}  // namespace feilun::scheduler
