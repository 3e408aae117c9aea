#include "scheduler/scheduler.h"

#include <algorithm>

#include "base/check.h"

// What comes in. scheduler_plan.cc makes the plans, scheduler_room.cc finds blocks for them.

namespace feilun::scheduler {

Scheduler::Scheduler(const SchedulerOptions& options)
    : options_(options),
      cache_({.block_count = options.block_count,
              .block_tokens = options.block_tokens,
              .policy = options.cache,
              .share_across_tenants = options.share_prefixes,
              .hash_key = options.hash_key}) {
  CHECK(options.block_tokens > 0 && options.prefill_chunk > 0 && options.max_sequences > 0);
  CHECK(options.prefill_stretch >= 1 && options.patience.count() > 0);
}

Result<> Scheduler::submit(NewSequence sequence, MonoTime now) {
  CHECK(!sequence.prompt.empty() && sequence.max_tokens > 0);
  CHECK(!sequences_.contains(sequence.id));
  const auto prompt = static_cast<TokenCount>(sequence.prompt.size());
  const TokenCount capacity = TokenCount{cache_.total()} * options_.block_tokens;
  if (prompt > capacity || sequence.max_tokens - 1 > capacity - prompt) {
    return fail(ErrorCode::kContextLengthExceeded, "a sequence of {} + {} tokens does not fit into {} tokens",
                prompt, sequence.max_tokens, capacity);
  }
  if (fresh_waiting_ >= options_.max_waiting) {
    return fail(ErrorCode::kOverloaded, "{} requests are waiting already", fresh_waiting_);
  }
  Sequence& added = sequences_[sequence.id];
  added.id = sequence.id;
  added.place = {.level = static_cast<int>(sequence.tier), .rank = next_rank_++};
  added.tier = sequence.tier;
  added.tenant_id = sequence.tenant;
  added.tenant = &tenants_.enter(sequence.tenant);
  added.arrived = now;
  added.tokens = std::move(sequence.prompt);
  added.prompt = prompt;
  added.max = sequence.max_tokens;
  added.allowed = sequence.allowed_tokens;
  added.table.salt = sequence.tenant;
  added.lookup = PromptLookup(options_.hash_key);
  waiting_.emplace(added.place, &added);
  ++fresh_waiting_;
  return {};
}

void Scheduler::allow(SequenceId id, TokenCount total) {
  const auto found = sequences_.find(id);
  if (found != sequences_.end()) found->second.allowed = std::max(found->second.allowed, total);
}

void Scheduler::end(SequenceId id, FinishClass finish, MonoTime now) {
  CHECK(!plan_open_);
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) return;
  Sequence& sequence = found->second;
  if (sequence.started) past_.ended(sequence.output(), sequence.prompt - sequence.found, sequence.found);
  cache_.release(sequence.table, finish, now);
  if (!sequence.started) --fresh_waiting_;
  if (sequence.running) --sequence.tenant->running;
  running_.erase(sequence.place);
  waiting_.erase(sequence.place);
  tenants_.leave(sequence.tenant_id);
  sequences_.erase(found);
}

void Scheduler::step_done(std::span<const int32_t> sampled, MonoTime now) {
  CHECK(plan_open_);
  plan_open_ = false;
  for (const PlannedSlice& slice : plan_.slices) {
    Sequence& sequence = sequences_.at(slice.id);
    sequence.computed = slice.from + slice.count;
    if (slice.samples) sequence.computed += take_sampled(sequence, sampled);
    sequence.high_water = std::max(sequence.high_water, sequence.computed);
    cache_.publish(sequence.table, std::span(sequence.tokens).first(static_cast<size_t>(sequence.computed)),
                   now);
  }
  CHECK(sampled.empty());
}

/// Returns how many guesses were right: their K/V are those of the tokens that were sampled.
TokenCount Scheduler::take_sampled(Sequence& sequence, std::span<const int32_t>& sampled) {
  constexpr double kNewest = 0.2;
  const auto learn = [&](bool came_true) {
    sequence.trust += kNewest * ((came_true ? 1.0 : 0.0) - sequence.trust);
  };
  size_t right = 0;
  for (bool more = true; more;) {
    CHECK(!sampled.empty());
    sequence.tokens.push_back(sampled.front());
    sampled = sampled.subspan(1);
    if (right == sequence.guess.size()) {
      if (sequence.unasked) learn(sequence.tokens.back() == *sequence.unasked);
      break;
    }
    more = sequence.tokens.back() == sequence.guess[right];
    learn(more);
    right += more ? 1 : 0;
  }
  return static_cast<TokenCount>(right);
}

void Scheduler::charge(SequenceId id, std::chrono::nanoseconds cost) {
  tenants_.charge(*sequences_.at(id).tenant, cost);
}

std::array<int, kTierCount> Scheduler::waiting_by_tier() const {
  std::array<int, kTierCount> counts{};
  for (const auto& [place, sequence] : waiting_) ++counts[static_cast<size_t>(sequence->tier)];
  return counts;
}

std::vector<std::pair<SequenceId, double>> Scheduler::holdings() {
  holders_.resize(static_cast<size_t>(cache_.total()));
  for (const auto& [place, sequence] : running_) {
    for (const int32_t block : sequence->table.blocks) ++holders_[static_cast<size_t>(block)];
  }
  std::vector<std::pair<SequenceId, double>> holdings;
  for (const auto& [place, sequence] : running_) {
    double blocks = 0;
    for (const int32_t block : sequence->table.blocks) blocks += 1.0 / holders_[static_cast<size_t>(block)];
    holdings.emplace_back(sequence->id, blocks);
  }
  for (const auto& [place, sequence] : running_) {
    for (const int32_t block : sequence->table.blocks) holders_[static_cast<size_t>(block)] = 0;
  }
  return holdings;
}

void Scheduler::check() const {
  std::vector<const BlockTable*> live;
  for (const auto& [id, sequence] : sequences_) {
    CHECK(sequence.running || sequence.table.blocks.empty());
    live.push_back(&sequence.table);
  }
  cache_.check(live);
  CHECK(running_.size() + waiting_.size() == sequences_.size());
}

}  // namespace feilun::scheduler
