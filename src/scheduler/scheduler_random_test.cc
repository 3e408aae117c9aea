#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "scheduler/scheduler.h"

namespace feilun::scheduler {
namespace {

/// Drives a scheduler with random events and keeps a book of its own: what each sequence must have computed
/// and how many blocks it must hold. Every plan is checked against the book.
class Shadow {
 public:
  Shadow(SchedulerOptions options, uint64_t seed) : options_(options), scheduler_(options), random_(seed) {}

  void random_event() {
    switch (roll(8)) {
      case 0:
      case 1:
        return submit();
      case 2:
        return allow();
      case 3:
        return roll(4) == 0 ? cancel() : step();
      default:
        return step();
    }
  }

  void drain() {
    for (auto& [id, entry] : entries_) {
      entry.allowed = entry.max;
      scheduler_.allow(id, entry.max);
    }
    for (int steps = 0; !entries_.empty(); ++steps) {
      ASSERT_LT(steps, 200'000) << "stuck with " << entries_.size() << " sequences";
      step();
      if (::testing::Test::HasFatalFailure()) return;
    }
    EXPECT_EQ(scheduler_.blocks_used(), 0);
    EXPECT_EQ(scheduler_.running(), 0);
    EXPECT_EQ(scheduler_.waiting(), 0);
  }

  int finished() const { return finished_; }
  uint64_t preemptions() const { return scheduler_.preemptions(); }

 private:
  struct Entry {
    TokenCount prompt, max, allowed;
    TokenCount output = 0, computed = 0, high_water = 0;
    int blocks = 0;
  };

  int roll(int sides) { return std::uniform_int_distribution(0, sides - 1)(random_); }

  std::map<SequenceId, Entry>::iterator any() {
    return std::next(entries_.begin(), roll(static_cast<int>(entries_.size())));
  }

  void submit() {
    const int capacity = options_.block_count * options_.block_tokens;
    const Entry entry{.prompt = 1 + roll(capacity),
                      .max = 1 + roll(capacity / 2),
                      .allowed = roll(3) == 0 ? roll(8) : 1000};
    const bool fits = entry.prompt + entry.max - 1 <= capacity;
    const bool room = scheduler_.waiting() < options_.max_waiting;
    const SequenceId id = next_id_++;
    const auto result = scheduler_.submit(
        {.id = id, .prompt_tokens = entry.prompt, .max_tokens = entry.max, .allowed_tokens = entry.allowed});
    ASSERT_EQ(result.has_value(), fits && room);
    if (result) entries_.emplace(id, entry);
  }

  void allow() {
    if (entries_.empty()) return;
    const auto entry = any();
    const TokenCount total = roll(40);
    entry->second.allowed = std::max(entry->second.allowed, total);
    scheduler_.allow(entry->first, total);
  }

  void cancel() {
    if (entries_.empty()) return;
    const auto entry = any();
    scheduler_.end(entry->first);
    entries_.erase(entry);
    expect_blocks();
  }

  void step() {
    const StepPlan& plan = scheduler_.plan();
    for (const SequenceId id : plan.preempted) {
      entries_.at(id).computed = 0;
      entries_.at(id).blocks = 0;
    }
    if (plan.slices.empty()) {
      for (const auto& [id, entry] : entries_)
        ASSERT_GE(entry.output, entry.allowed) << "an idle step beside work";
      return;
    }
    ASSERT_LE(plan.slices.size(), static_cast<size_t>(options_.max_sequences));
    std::set<int32_t> blocks;
    int prefill = 0;
    for (const PlannedSlice& slice : plan.slices) check(slice, blocks, prefill);
    ASSERT_LE(prefill, options_.prefill_chunk);
    expect_blocks();
    std::vector<SequenceId> done;
    for (const PlannedSlice& slice : plan.slices) account(slice, done);
    scheduler_.step_done();
    for (const SequenceId id : done) {
      scheduler_.end(id);
      entries_.erase(id);
      ++finished_;
    }
    expect_blocks();
  }

  void check(const PlannedSlice& slice, std::set<int32_t>& blocks, int& prefill) {
    Entry& entry = entries_.at(slice.id);
    const TokenCount known = entry.prompt + entry.output;
    const TokenCount end = slice.from + slice.count;
    ASSERT_GT(slice.count, 0);
    ASSERT_EQ(slice.from, entry.computed);
    ASSERT_LE(end, known);
    ASSERT_EQ(slice.samples, end == known);
    ASSERT_LT(entry.output, entry.allowed);
    ASSERT_EQ(slice.recomputed, std::clamp<TokenCount>(entry.high_water - slice.from, 0, slice.count));
    entry.blocks = static_cast<int>((end + options_.block_tokens - 1) / options_.block_tokens);
    ASSERT_EQ(slice.blocks.size(), static_cast<size_t>(entry.blocks));
    for (const int32_t block : slice.blocks) {
      ASSERT_TRUE(block >= 0 && block < options_.block_count && blocks.insert(block).second)
          << "a block held twice";
    }
    const bool decode = slice.from + 1 == known && entry.output > 0;
    if (!decode) prefill += slice.count;
  }

  void account(const PlannedSlice& slice, std::vector<SequenceId>& done) {
    Entry& entry = entries_.at(slice.id);
    entry.computed = slice.from + slice.count;
    entry.high_water = std::max(entry.high_water, entry.computed);
    if (slice.samples && ++entry.output == entry.max) done.push_back(slice.id);
  }

  void expect_blocks() const {
    int expected = 0;
    for (const auto& [id, entry] : entries_) expected += entry.blocks;
    ASSERT_EQ(scheduler_.blocks_used(), expected);
  }

  SchedulerOptions options_;
  Scheduler scheduler_;
  std::mt19937_64 random_;
  std::map<SequenceId, Entry> entries_;
  SequenceId next_id_ = 1;
  int finished_ = 0;
};

TEST(SchedulerRandom, LeaksNoBlockAndStarvesNobody) {
  uint64_t preemptions = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Shadow shadow({.block_count = 4 + static_cast<int>(seed % 13),
                   .block_tokens = 4,
                   .prefill_chunk = 1 + static_cast<int>(seed % 7) * 3,
                   .max_sequences = 1 + static_cast<int>(seed % 6),
                   .max_waiting = 12},
                  seed);
    for (int event = 0; event < 2'000; ++event) {
      shadow.random_event();
      if (HasFatalFailure()) return;
    }
    shadow.drain();
    if (HasFatalFailure()) return;
    EXPECT_GT(shadow.finished(), 20);
    preemptions += shadow.preemptions();
  }
  EXPECT_GT(preemptions, 100u) << "the budget was never tight: the test shows less than it says";
}

TEST(SchedulerRandom, GivesTheSamePlansForTheSameEvents) {
  const auto run = [] {
    Scheduler scheduler({.block_count = 6, .block_tokens = 4, .prefill_chunk = 5, .max_sequences = 3});
    std::vector<std::tuple<SequenceId, int64_t, int, std::vector<int32_t>>> log;
    std::map<SequenceId, TokenCount> left;
    for (SequenceId id = 1; id <= 12; ++id) {
      left[id] = 1 + static_cast<TokenCount>(id * 7 % 9);
      EXPECT_TRUE(scheduler.submit({.id = id,
                                    .prompt_tokens = 1 + static_cast<TokenCount>(id * 5 % 12),
                                    .max_tokens = left[id],
                                    .allowed_tokens = 100}));
    }
    for (;;) {
      const StepPlan& plan = scheduler.plan();
      if (plan.slices.empty()) return log;
      std::vector<SequenceId> done;
      for (const PlannedSlice& slice : plan.slices) {
        log.emplace_back(slice.id, slice.from, slice.count,
                         std::vector(slice.blocks.begin(), slice.blocks.end()));
        if (slice.samples && --left[slice.id] == 0) done.push_back(slice.id);
      }
      scheduler.step_done();
      for (const SequenceId id : done) scheduler.end(id);
    }
  };
  const auto first = run();
  EXPECT_GT(first.size(), 50u);
  EXPECT_EQ(first, run());
}

}  // namespace
}  // namespace feilun::scheduler
