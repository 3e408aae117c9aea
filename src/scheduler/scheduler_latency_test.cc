#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "scheduler/virtual_machine.h"

/// What prompts may cost those who are reading along, and what a request is told about its waiting.
namespace feilun::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

std::vector<nanoseconds> gaps(const VirtualMachine::Life& life) {
  std::vector<nanoseconds> gaps;
  for (size_t i = 1; i < life.tokens.size(); ++i) gaps.push_back(life.tokens[i] - life.tokens[i - 1]);
  return gaps;
}

nanoseconds median(std::vector<nanoseconds> values) {
  std::ranges::sort(values);
  return values.at(values.size() / 2);
}

constexpr SequenceId kLong = 100;

struct Slowdown {
  double worst = 0;  ///< longest gap between two tokens of a stream meanwhile ÷ the median gap before
  nanoseconds first_token{0};
};

/// 16 streams decode when a prompt of 4,000 tokens arrives.
Slowdown slowdown(SchedulerOptions options, Tier streams) {
  VirtualMachine machine(options);
  for (SequenceId id = 1; id <= 16; ++id) {
    machine.submit({.id = id, .prompt = 200, .output = 600, .tenant = id, .tier = streams});
  }
  machine.run_until(machine.now() + seconds(8));
  std::vector<nanoseconds> before;
  for (SequenceId id = 1; id <= 16; ++id) {
    const auto all = gaps(machine.of(id));
    before.insert(before.end(), all.end() - 50, all.end());
  }
  const MonoTime arrival = machine.now();
  machine.submit({.id = kLong, .prompt = 4'000, .output = 4, .tenant = 99});
  while (machine.of(kLong).tokens.empty()) machine.step();
  nanoseconds worst{0};
  for (SequenceId id = 1; id <= 16; ++id) {
    const auto& tokens = machine.of(id).tokens;
    for (size_t i = 1; i < tokens.size(); ++i) {
      if (tokens[i] > arrival) worst = std::max(worst, tokens[i] - tokens[i - 1]);
    }
  }
  return {.worst = static_cast<double>(worst.count()) / static_cast<double>(median(before).count()),
          .first_token = machine.first_token_after(kLong)};
}

TEST(SchedulerLatency, ALongPromptNeverDoublesTheTimeBetweenTokensOfSixteenStreams) {
  const Slowdown slow = slowdown({.block_count = 2'000}, Tier::kDefault);
  EXPECT_LE(slow.worst, 2.0);
  EXPECT_GT(slow.worst, 1.5) << "the time there is for prompts is used";
  EXPECT_LT(slow.first_token, seconds(20)) << "and the prompt gets on";
}

TEST(SchedulerLatency, AnUnboundedChunkWouldStallThem) {
  EXPECT_GT(slowdown({.block_count = 2'000, .prefill_stretch = 1e9}, Tier::kDefault).worst, 5.0)
      << "what the bound is for";
}

TEST(SchedulerLatency, NobodyWatchesABatch) {
  EXPECT_GT(slowdown({.block_count = 2'000}, Tier::kBatch).worst, 5.0)
      << "its tokens may wait for whole chunks";
}

TEST(SchedulerLatency, APromptGetsOnEvenWhereItsFirstTokenIsTooMuch) {
  VirtualMachine machine({.block_count = 100, .prefill_stretch = 1},
                         {.fixed = 0, .row = 1e6, .row_beyond = 0, .version = 1});
  machine.submit({.id = 1, .prompt = 2, .output = 400});
  machine.run_until(machine.now() + milliseconds(50));
  machine.submit({.id = 2, .prompt = 20, .output = 2});
  machine.run();
  EXPECT_EQ(machine.of(2).tokens.size(), 2u);
  for (const StepPlan& plan : machine.plans()) {
    if (plan.slices.size() > 1) {
      EXPECT_EQ(plan.slices.back().count, 1);
    }
  }
}

TEST(SchedulerLatency, AStreamThatWaitsForItsAllowanceIsStillWatched) {
  const StepCost cost = VirtualMachine::two_cores();
  Scheduler scheduler({.block_count = 200});
  const std::vector<int32_t> sampled = {1};
  ASSERT_TRUE(scheduler.submit(
      {.id = 1, .prompt = std::vector<int32_t>(8, 1), .max_tokens = 9, .allowed_tokens = 1}, {}));
  scheduler.plan({}, cost);
  scheduler.step_done(sampled, {});
  ASSERT_TRUE(scheduler.submit(
      {.id = 2, .prompt = std::vector<int32_t>(1'000, 2), .max_tokens = 9, .allowed_tokens = 9}, {}));
  const StepPlan& plan = scheduler.plan({}, cost);
  ASSERT_EQ(plan.slices.size(), 1u);
  EXPECT_LT(plan.slices[0].count, 40) << "it may go on while the chunk is computed";
  EXPECT_GT(plan.slices[0].count, 10);
  scheduler.step_done({}, {});
  const StepPlan& later = scheduler.plan(MonoTime(seconds(2)), cost);
  ASSERT_EQ(later.slices.size(), 1u);
  EXPECT_EQ(later.slices[0].count, 256) << "but not for ever";
}

TEST(Forecast, IsNearTheTruthForQueuesOfPromptsAndOfSequences) {
  for (const int crowd : {0, 4, 30, 150}) {
    VirtualMachine machine({.block_count = 4'000, .max_sequences = 16});
    SequenceId id = 1;
    // Settles the mean length of answers.
    for (; id <= 200; ++id) machine.submit({.id = id, .prompt = 100, .output = 40, .tenant = id});
    machine.run();
    for (int i = 0; i < crowd; ++i, ++id) {
      machine.submit({.id = id, .prompt = 300, .output = 40, .tenant = id});
    }
    for (int steps = 0; steps < 20; ++steps) machine.step();
    const auto foretold = machine.forecast().first_token(Tier::kDefault, 300, 0);
    machine.submit({.id = id, .prompt = 300, .output = 40, .tenant = id});
    machine.run();
    const auto real = machine.first_token_after(id);
    EXPECT_LT(foretold, real * 2 + milliseconds(50)) << crowd;
    EXPECT_GT(foretold * 2 + milliseconds(50), real) << crowd;
  }
}

/// Retry-After is the prediction less what was asked for: after it, hardly anything is left to wait.
TEST(Forecast, TellsWhenItIsWorthComingBack) {
  for (const int crowd : {20, 60, 150}) {
    for (const nanoseconds wanted : {milliseconds(500), milliseconds(2'000)}) {
      VirtualMachine machine({.block_count = 4'000, .max_sequences = 16});
      SequenceId id = 1;
      for (; id <= 200; ++id) machine.submit({.id = id, .prompt = 100, .output = 40, .tenant = id});
      machine.run();
      for (int i = 0; i < crowd; ++i, ++id) {
        machine.submit({.id = id, .prompt = 300, .output = 40, .tenant = id});
      }
      const nanoseconds foretold = machine.forecast().first_token(Tier::kDefault, 300, 0);
      ASSERT_GT(foretold, wanted) << crowd;
      machine.run_until(machine.now() + foretold - wanted);
      const nanoseconds then = machine.forecast().first_token(Tier::kDefault, 300, 0);
      EXPECT_LT(then, wanted + foretold / 6) << crowd;
      EXPECT_GT(then + foretold / 6, wanted) << crowd << ": it could have come earlier";
    }
  }
}

TEST(Forecast, KnowsThatMoreUrgentOnesDoNotWaitForTheOthers) {
  VirtualMachine machine({.block_count = 4'000, .max_sequences = 16});
  for (SequenceId id = 1; id <= 100; ++id) {
    machine.submit({.id = id, .prompt = 500, .output = 40, .tenant = id, .tier = Tier::kBatch});
  }
  machine.step();
  const Forecast forecast = machine.forecast();
  EXPECT_LT(forecast.first_token(Tier::kPriority, 500, 0), seconds(2));
  EXPECT_GT(forecast.first_token(Tier::kBatch, 500, 0), seconds(20));
  EXPECT_GT(forecast.first_token(Tier::kPriority, 500, 10'000),
            forecast.first_token(Tier::kPriority, 500, 0));
}

TEST(Forecast, TurnsNobodyAwayBeforeAnythingIsKnown) {
  VirtualMachine machine({.block_count = 100}, StepCost{});
  machine.submit({.id = 1, .prompt = 500, .output = 40});
  EXPECT_FALSE(machine.forecast().known);
  EXPECT_EQ(machine.forecast().first_token(Tier::kDefault, 1'000'000, 0).count(), 0);
}

}  // namespace
}  // namespace feilun::scheduler
