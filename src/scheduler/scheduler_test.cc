#include "scheduler/scheduler.h"

#include <gtest/gtest.h>

namespace feilun::scheduler {
namespace {

/// Without a cache and without regard to time: what remains is who goes when.
class Stage {
 public:
  explicit Stage(SchedulerOptions options) : scheduler_(without_cache(options)) {}

  Result<> submit(NewSequence sequence) { return scheduler_.submit(std::move(sequence), now_); }
  const StepPlan& plan() { return plan_ = scheduler_.plan(now_, StepCost{.fixed = 1e12}); }
  void step_done() {
    std::vector<int32_t> sampled;
    for (const PlannedSlice& slice : plan_.slices) {
      if (slice.samples) sampled.push_back(7);
    }
    scheduler_.step_done(sampled, now_);
  }
  void step() {
    plan();
    step_done();
  }
  void end(SequenceId id) { scheduler_.end(id, FinishClass::kEnd, now_); }
  void wait(std::chrono::nanoseconds time) { now_ += time; }
  Scheduler& operator*() { return scheduler_; }
  Scheduler* operator->() { return &scheduler_; }

 private:
  static SchedulerOptions without_cache(SchedulerOptions options) {
    options.cache = CachePolicy::kOff;
    return options;
  }
  Scheduler scheduler_;
  StepPlan plan_;
  MonoTime now_{};
};

NewSequence sequence(SequenceId id, size_t prompt, TokenCount output) {
  return {.id = id,
          .prompt = std::vector<int32_t>(prompt, static_cast<int32_t>(id)),
          .max_tokens = output,
          .allowed_tokens = output};
}

std::vector<SequenceId> ids(const StepPlan& plan) {
  std::vector<SequenceId> result;
  for (const PlannedSlice& slice : plan.slices) result.push_back(slice.id);
  return result;
}

using Ids = std::vector<SequenceId>;

TEST(Scheduler, PutsADecodeBesideAnotherPromptsChunk) {
  Stage scheduler({.block_count = 64, .prefill_chunk = 8});
  ASSERT_TRUE(scheduler.submit(sequence(1, 8, 10)));
  EXPECT_TRUE(scheduler.plan().slices[0].samples);
  scheduler.step_done();
  ASSERT_TRUE(scheduler.submit(sequence(2, 20, 10)));
  const StepPlan& plan = scheduler.plan();
  ASSERT_EQ(ids(plan), (Ids{1, 2}));
  EXPECT_EQ(plan.slices[0].from, 8);
  EXPECT_EQ(plan.slices[0].count, 1);
  EXPECT_TRUE(plan.slices[0].samples);
  EXPECT_EQ(plan.slices[1].from, 0);
  EXPECT_EQ(plan.slices[1].count, 8);
  EXPECT_FALSE(plan.slices[1].samples);
}

TEST(Scheduler, SharesOneStepsBudgetAmongPrompts) {
  Stage scheduler({.block_count = 64, .prefill_chunk = 16});
  for (SequenceId id = 1; id <= 4; ++id) ASSERT_TRUE(scheduler.submit(sequence(id, 6, 4)));
  const StepPlan& plan = scheduler.plan();
  ASSERT_EQ(ids(plan), (Ids{1, 2, 3}));
  EXPECT_EQ(plan.slices[2].count, 4);
  EXPECT_FALSE(plan.slices[2].samples);
}

TEST(Scheduler, TakesAtMostSoManySequencesIntoAStep) {
  Stage scheduler({.block_count = 64, .max_sequences = 2});
  for (SequenceId id = 1; id <= 3; ++id) ASSERT_TRUE(scheduler.submit(sequence(id, 4, 2)));
  EXPECT_EQ(ids(scheduler.plan()), (Ids{1, 2}));
  scheduler.step_done();
  scheduler.end(1);
  EXPECT_EQ(ids(scheduler.plan()), (Ids{2, 3}));
}

TEST(Scheduler, LetsNobodyOvertakeTheHeadOfTheQueue) {
  Stage scheduler({.block_count = 4, .block_tokens = 4, .prefill_chunk = 64});
  ASSERT_TRUE(scheduler.submit(sequence(1, 8, 4)));
  ASSERT_TRUE(
      scheduler.submit(sequence(2, 12, 4)));  // four blocks with its next token: none to spare beside 1
  ASSERT_TRUE(scheduler.submit(sequence(3, 1, 1)));
  EXPECT_EQ(ids(scheduler.plan()), (Ids{1}));
  scheduler.step_done();
  EXPECT_EQ(scheduler->waiting(), 2);
  scheduler.end(1);
  EXPECT_EQ(ids(scheduler.plan()).front(), SequenceId{2});
}

TEST(Scheduler, RefusesWhatAllBlocksTogetherCouldNotHold) {
  Stage scheduler({.block_count = 2, .block_tokens = 4});
  EXPECT_TRUE(scheduler.submit(sequence(1, 5, 4)));  // the last token is sampled but needs no place
  const auto refused = scheduler.submit(sequence(2, 5, 5));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kContextLengthExceeded);
  EXPECT_FALSE(scheduler.submit(sequence(3, 5, INT64_MAX)));
}

TEST(Scheduler, BoundsItsQueue) {
  Stage scheduler({.block_count = 8, .max_waiting = 2});
  EXPECT_TRUE(scheduler.submit(sequence(1, 1, 1)));
  EXPECT_TRUE(scheduler.submit(sequence(2, 1, 1)));
  const auto refused = scheduler.submit(sequence(3, 1, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
  scheduler.plan();
  scheduler.step_done();
  EXPECT_TRUE(scheduler.submit(sequence(3, 1, 1)));
}

TEST(Scheduler, PreemptsTheCheapestToRedoOfThoseBehind) {
  Stage scheduler({.block_count = 7, .block_tokens = 4, .prefill_chunk = 64});
  ASSERT_TRUE(scheduler.submit(sequence(1, 3, 16)));
  ASSERT_TRUE(scheduler.submit(sequence(2, 11, 16)));
  ASSERT_TRUE(scheduler.submit(sequence(3, 3, 16)));
  ASSERT_TRUE(scheduler.submit(sequence(4, 7, 16)));
  EXPECT_EQ(ids(scheduler.plan()), (Ids{1, 2, 3, 4}));
  scheduler.step_done();
  scheduler.step();  // now all blocks are full to the last token
  const StepPlan& plan = scheduler.plan();
  EXPECT_EQ(plan.preempted, (Ids{3, 4})) << "4 tokens for the block 1 needs, 8 for that of 2";
  EXPECT_EQ(ids(plan), (Ids{1, 2}));
  EXPECT_EQ(scheduler->preemptions(), 2u);
  EXPECT_EQ(scheduler->waiting(), 0) << "a preempted sequence does not count for the bounded queue";
}

TEST(Scheduler, ComputesLostTokensAgainAndSaysSo) {
  Stage scheduler({.block_count = 4, .block_tokens = 4, .prefill_chunk = 64});
  ASSERT_TRUE(scheduler.submit(sequence(1, 4, 9)));
  ASSERT_TRUE(scheduler.submit(sequence(2, 4, 9)));
  for (int step = 0; step < 5; ++step) scheduler.step();
  EXPECT_EQ(scheduler.plan().preempted, (Ids{2}));
  scheduler.step_done();
  scheduler.end(1);
  const StepPlan& plan = scheduler.plan();
  ASSERT_EQ(ids(plan), (Ids{2}));
  EXPECT_EQ(plan.slices[0].from, 0);
  EXPECT_EQ(plan.slices[0].count, 9) << "the prompt and the five tokens it had";
  EXPECT_EQ(plan.slices[0].recomputed, 8) << "the fifth had only been sampled";
  EXPECT_TRUE(plan.slices[0].samples);
}

TEST(Scheduler, KeepsThePlaceAndTheBlocksOfASequenceAtItsAllowance) {
  Stage scheduler({.block_count = 8, .block_tokens = 4});
  NewSequence first = sequence(1, 4, 10);
  first.allowed_tokens = 1;
  ASSERT_TRUE(scheduler.submit(first));
  ASSERT_TRUE(scheduler.submit(sequence(2, 4, 10)));
  EXPECT_EQ(ids(scheduler.plan()), (Ids{1, 2}));
  scheduler.step_done();
  EXPECT_EQ(ids(scheduler.plan()), (Ids{2}));
  scheduler.step_done();
  scheduler->allow(1, 2);
  const StepPlan& plan = scheduler.plan();
  EXPECT_EQ(ids(plan), (Ids{1, 2}));
  EXPECT_EQ(plan.slices[0].recomputed, 0);
  scheduler.step_done();
}

TEST(Scheduler, TakesBlocksOfASequenceAtItsAllowanceRatherThanStandStill) {
  Stage scheduler({.block_count = 2, .block_tokens = 4});
  NewSequence first = sequence(1, 4, 4);
  first.allowed_tokens = 1;
  ASSERT_TRUE(scheduler.submit(first));
  scheduler.plan();
  scheduler.step_done();
  EXPECT_TRUE(scheduler.plan().slices.empty());
  ASSERT_TRUE(scheduler.submit(sequence(2, 4, 4)));
  const StepPlan& plan = scheduler.plan();
  EXPECT_EQ(plan.preempted, (Ids{1}));
  EXPECT_EQ(ids(plan), (Ids{2}));
  scheduler.step_done();
  scheduler.end(2);
  scheduler->allow(1, 4);
  const StepPlan& redo = scheduler.plan();
  ASSERT_EQ(ids(redo), (Ids{1}));
  EXPECT_EQ(redo.slices[0].count, 5) << "prompt and the token it had";
  EXPECT_EQ(redo.slices[0].recomputed, 4);
  EXPECT_TRUE(redo.slices[0].samples);
}

/// Two readers that stopped reading hold six of eight blocks.
TEST(Scheduler, AReaderWhoStoppedReadingKeepsNobodyFromTheMachine) {
  Stage scheduler({.block_count = 8, .block_tokens = 4});
  for (const SequenceId id : {1, 2}) {
    NewSequence unread = sequence(id, 10, 4);
    unread.allowed_tokens = 1;
    ASSERT_TRUE(scheduler.submit(unread));
  }
  scheduler.step();
  for (const SequenceId id : {3, 4, 5}) ASSERT_TRUE(scheduler.submit(sequence(id, 5, 6)));
  scheduler.step();
  EXPECT_EQ(ids(scheduler.plan()), (Ids{3})) << "they may read on at any moment";
  scheduler.step_done();
  scheduler.wait(std::chrono::seconds(2));
  EXPECT_EQ(ids(scheduler.plan()), (Ids{3, 4, 5}));
  EXPECT_EQ(scheduler->preemptions(), 2u);
  scheduler.step_done();
  for (const SequenceId id : {1, 2}) scheduler->allow(id, 4);
  for (const SequenceId id : {3, 4, 5}) scheduler.end(id);
  EXPECT_EQ(ids(scheduler.plan()), (Ids{1, 2})) << "and go on when they do";
  scheduler.step_done();
}

TEST(Scheduler, ABlockIsTakenFromWhoStoppedReadingBeforeAnyoneWhoRuns) {
  Stage scheduler({.block_count = 4, .block_tokens = 4});
  NewSequence unread = sequence(1, 4, 4);
  unread.allowed_tokens = 1;
  ASSERT_TRUE(scheduler.submit(unread));
  for (const SequenceId id : {2, 3}) ASSERT_TRUE(scheduler.submit(sequence(id, 2, 6)));
  for (int i = 0; i < 2; ++i) scheduler.step();
  scheduler.wait(std::chrono::seconds(2));
  for (int i = 0; i < 3; ++i) scheduler.step();
  EXPECT_EQ(ids(scheduler.plan()), (Ids{2, 3}));
  EXPECT_EQ(scheduler->preemptions(), 1u);
  scheduler.step_done();
}

TEST(Scheduler, StartsNothingForASequenceThatMayNotProduce) {
  Stage scheduler({.block_count = 8});
  NewSequence waiting = sequence(1, 4, 4);
  waiting.allowed_tokens = 0;
  ASSERT_TRUE(scheduler.submit(waiting));
  EXPECT_TRUE(scheduler.plan().slices.empty());
  ASSERT_TRUE(scheduler.submit(sequence(2, 4, 4)));
  EXPECT_EQ(ids(scheduler.plan()), (Ids{2})) << "it holds nobody up";
}

}  // namespace
}  // namespace feilun::scheduler
