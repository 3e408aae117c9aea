#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <tuple>

#include "scheduler/scheduler.h"

namespace feilun::scheduler {
namespace {

using std::chrono::milliseconds;

/// Drives a scheduler with random events and keeps a book of its own: what each sequence must have computed,
/// and which token's K/V lie in each cell of each block. Every plan is carried out on the book, as a machine
/// would: a slice writes its cells, and reads all those before them.
class Shadow {
 public:
  Shadow(SchedulerOptions options, uint64_t seed)
      : options_(options),
        scheduler_(options),
        random_(seed),
        cells_(static_cast<size_t>(options.block_count * options.block_tokens)) {}

  void random_event() {
    now_ += milliseconds(roll(20));
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
      now_ += milliseconds(10);
      step();
      if (::testing::Test::HasFatalFailure()) return;
    }
    EXPECT_EQ(scheduler_.cache().used(), 0);
    EXPECT_EQ(scheduler_.running(), 0);
    EXPECT_EQ(scheduler_.waiting(), 0);
  }

  int finished() const { return finished_; }
  int cached() const { return cached_; }
  int guessed_right() const { return guessed_right_; }
  uint64_t preemptions() const { return scheduler_.preemptions(); }

 private:
  struct Entry {
    std::vector<int32_t> tokens;
    TokenCount prompt, max, allowed;
    TenantId tenant;
    TokenCount computed = 0, high_water = 0, found = 0, fresh = 0;
    TokenCount output() const { return static_cast<TokenCount>(tokens.size()) - prompt; }
  };

  int roll(int sides) { return std::uniform_int_distribution(0, sides - 1)(random_); }

  std::map<SequenceId, Entry>::iterator any() {
    return std::next(entries_.begin(), roll(static_cast<int>(entries_.size())));
  }

  /// Few different ones, so that prompts begin alike and answers are alike.
  int32_t next_token(const Entry& entry) {
    return static_cast<int32_t>(entry.tenant * 100 + entry.tokens.size() % 3 + (roll(12) == 0 ? 10 : 0));
  }

  void submit() {
    const int capacity = options_.block_count * options_.block_tokens;
    Entry entry{.tokens = {},
                .prompt = 1 + roll(capacity),
                .max = 1 + roll(capacity / 2),
                .allowed = roll(3) == 0 ? roll(8) : 1000,
                .tenant = static_cast<TenantId>(roll(3))};
    for (int i = 0; i < entry.prompt; ++i) entry.tokens.push_back(next_token(entry));
    const bool fits = entry.prompt + entry.max - 1 <= capacity;
    const bool room = scheduler_.waiting() < options_.max_waiting;
    const SequenceId id = next_id_++;
    const auto result = scheduler_.submit({.id = id,
                                           .prompt = entry.tokens,
                                           .max_tokens = entry.max,
                                           .allowed_tokens = entry.allowed,
                                           .tenant = entry.tenant,
                                           .tier = static_cast<Tier>(roll(kTierCount))},
                                          now_);
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
    scheduler_.end(entry->first, FinishClass::kOther, now_);
    entries_.erase(entry);
    scheduler_.check();
  }

  void step() {
    const StepPlan& plan = scheduler_.plan(now_, {});
    for (const SequenceId id : plan.preempted) entries_.at(id).computed = 0;
    if (plan.slices.empty()) {
      for (const auto& [id, entry] : entries_) {
        ASSERT_GE(entry.output(), entry.allowed) << "an idle step beside work";
      }
      return;
    }
    ASSERT_LE(plan.slices.size(), static_cast<size_t>(options_.max_sequences));
    int prefill = 0;
    std::set<SequenceId> planned;
    for (const PlannedSlice& slice : plan.slices) {
      ASSERT_TRUE(planned.insert(slice.id).second);
      check(slice, prefill);
      write(slice);
    }
    ASSERT_LE(prefill, options_.prefill_chunk);
    for (const PlannedSlice& slice : plan.slices) read(slice);
    check_holdings();
    finish_step(plan);
  }

  void check(const PlannedSlice& slice, int& prefill) {
    Entry& entry = entries_.at(slice.id);
    const auto known = static_cast<TokenCount>(entry.tokens.size());
    const TokenCount end = slice.from + slice.count;
    ASSERT_GT(slice.count, 0);
    // What is neither computed nor computed again was found.
    ASSERT_GE(slice.from, entry.computed);
    entry.high_water = std::max(entry.high_water, slice.from);
    entry.found += slice.cached;
    cached_ += slice.cached;
    ASSERT_LE(end, known);
    ASSERT_EQ(slice.samples, end == known);
    ASSERT_LT(entry.output(), entry.allowed);
    ASSERT_EQ(slice.recomputed, std::clamp<TokenCount>(entry.high_water - slice.from, 0, slice.count));
    const TokenCount fresh_from = slice.from + slice.recomputed;
    entry.fresh += std::max<TokenCount>(0, std::min(end, entry.prompt) - fresh_from);
    if (end >= entry.prompt) {
      ASSERT_EQ(entry.fresh + entry.found, entry.prompt) << "every prompt token is computed or found";
    }
    const auto blocks = static_cast<size_t>((end + options_.block_tokens - 1) / options_.block_tokens);
    ASSERT_EQ(slice.blocks.size(), blocks);
    ASSERT_EQ(slice.decode, slice.from + 1 == known && entry.output() > 0);
    if (!slice.decode) prefill += slice.count;
  }

  std::pair<TenantId, int32_t>& cell(const PlannedSlice& slice, int64_t position) {
    const int32_t block = slice.blocks[static_cast<size_t>(position / options_.block_tokens)];
    return cells_.at(static_cast<size_t>(block * options_.block_tokens + position % options_.block_tokens));
  }
  void write(const PlannedSlice& slice) {
    const Entry& entry = entries_.at(slice.id);
    for (int64_t p = slice.from; p < slice.from + slice.count; ++p) {
      cell(slice, p) = {entry.tenant, entry.tokens[static_cast<size_t>(p)]};
    }
    for (size_t i = 0; i < slice.guess.size(); ++i) {
      cell(slice, slice.from + slice.count + static_cast<int64_t>(i)) = {entry.tenant, slice.guess[i]};
    }
  }
  void read(const PlannedSlice& slice) {
    const Entry& entry = entries_.at(slice.id);
    for (int64_t p = 0; p < slice.from + slice.count; ++p) {
      const std::pair expected(entry.tenant, entry.tokens[static_cast<size_t>(p)]);
      ASSERT_EQ(cell(slice, p), expected) << "position " << p;
    }
  }

  void check_holdings() {
    double held = 0;
    for (const auto& [id, blocks] : scheduler_.holdings()) held += blocks;
    ASSERT_NEAR(held, scheduler_.cache().used(), 1e-6);
    ASSERT_LE(scheduler_.cache().used() + scheduler_.cache().cached(), options_.block_count);
  }

  /// The token after the slice, and while guesses are right, those after them.
  void sample(const PlannedSlice& slice, Entry& entry, std::vector<int32_t>& sampled) {
    for (size_t i = 0; i <= slice.guess.size(); ++i) {
      const bool follow = i < slice.guess.size() && roll(3) != 0;
      const int32_t token = follow ? slice.guess[i] : next_token(entry);
      entry.tokens.push_back(token);
      ASSERT_LE(entry.output(), entry.allowed);
      const bool right = i < slice.guess.size() && token == slice.guess[i];
      const bool ended = entry.output() == entry.max;
      sampled.push_back(right && ended ? Scheduler::kNoToken : token);
      if (!right || ended) return;
      ++entry.computed;
      entry.high_water = std::max(entry.high_water, entry.computed);
      ++guessed_right_;
    }
  }

  void finish_step(const StepPlan& plan) {
    std::vector<SequenceId> done;
    std::vector<int32_t> sampled;
    for (const PlannedSlice& slice : plan.slices) {
      Entry& entry = entries_.at(slice.id);
      entry.computed = slice.from + slice.count;
      entry.high_water = std::max(entry.high_water, entry.computed);
      if (slice.samples) sample(slice, entry, sampled);
      if (entry.output() == entry.max) done.push_back(slice.id);
    }
    scheduler_.step_done(sampled, now_);
    for (const auto& [id, entry] : entries_) scheduler_.charge(id, milliseconds(roll(5)));
    for (const SequenceId id : done) {
      scheduler_.end(id, FinishClass::kEnd, now_);
      entries_.erase(id);
      ++finished_;
    }
    scheduler_.check();
  }

  SchedulerOptions options_;
  Scheduler scheduler_;
  std::mt19937_64 random_;
  MonoTime now_{};
  std::map<SequenceId, Entry> entries_;
  std::vector<std::pair<TenantId, int32_t>> cells_;
  SequenceId next_id_ = 1;
  int finished_ = 0;
  int cached_ = 0;
  int guessed_right_ = 0;
};

TEST(SchedulerRandom, LeaksNoBlockStarvesNobodyAndReadsWhatWasWritten) {
  uint64_t preemptions = 0;
  int cached = 0;
  int guessed_right = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Shadow shadow({.block_count = 4 + static_cast<int>(seed % 13),
                   .block_tokens = 4,
                   .prefill_chunk = 1 + static_cast<int>(seed % 7) * 3,
                   .max_sequences = 1 + static_cast<int>(seed % 6),
                   .max_waiting = 12,
                   .prefill_stretch = 1 + static_cast<double>(seed % 5) / 2,
                   .patience = milliseconds(seed % 3 == 0 ? 50 : 5'000),
                   .reader_pause = milliseconds(seed % 4 == 0 ? 20 : 1'000),
                   .cache = static_cast<CachePolicy>(seed % 3),
                   .speculate = seed % 2 == 0},
                  seed);
    for (int event = 0; event < 1'500; ++event) {
      shadow.random_event();
      if (HasFatalFailure()) return;
    }
    shadow.drain();
    if (HasFatalFailure()) return;
    EXPECT_GT(shadow.finished(), 20);
    EXPECT_EQ(shadow.cached() > 0, seed % 3 != 0);
    preemptions += shadow.preemptions();
    cached += shadow.cached();
    guessed_right += shadow.guessed_right();
  }
  EXPECT_GT(preemptions, 100u) << "the budget was never tight: the test shows less than it says";
  EXPECT_GT(cached, 5'000);
  EXPECT_GT(guessed_right, 1'000);
}

TEST(SchedulerRandom, GivesTheSamePlansForTheSameEvents) {
  const auto run = [] {
    Scheduler scheduler({.block_count = 6, .block_tokens = 4, .prefill_chunk = 5, .max_sequences = 3});
    std::vector<std::tuple<SequenceId, int64_t, int, std::vector<int32_t>>> log;
    std::map<SequenceId, TokenCount> left;
    for (SequenceId id = 1; id <= 12; ++id) {
      left[id] = 1 + static_cast<TokenCount>(id * 7 % 9);
      EXPECT_TRUE(scheduler.submit({.id = id,
                                    .prompt = std::vector<int32_t>(1 + id * 5 % 12, static_cast<int>(id % 4)),
                                    .max_tokens = left[id],
                                    .allowed_tokens = 100,
                                    .tenant = id % 2,
                                    .tier = static_cast<Tier>(id % 3)},
                                   {}));
    }
    for (MonoTime now;; now += milliseconds(1)) {
      const StepPlan& plan = scheduler.plan(now, {});
      if (plan.slices.empty()) return log;
      std::vector<SequenceId> done;
      std::vector<int32_t> sampled;
      for (const PlannedSlice& slice : plan.slices) {
        log.emplace_back(slice.id, slice.from, slice.count,
                         std::vector(slice.blocks.begin(), slice.blocks.end()));
        if (slice.samples) sampled.push_back(5);
        if (slice.samples && --left[slice.id] == 0) done.push_back(slice.id);
      }
      scheduler.step_done(sampled, now);
      for (const SequenceId id : done) scheduler.end(id, FinishClass::kEnd, now);
    }
  };
  const auto first = run();
  EXPECT_GT(first.size(), 50u);
  EXPECT_EQ(first, run());
}

}  // namespace
}  // namespace feilun::scheduler
