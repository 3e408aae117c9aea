#include "scheduler/scheduler.h"

#include <algorithm>

#include "base/check.h"

namespace feilun::scheduler {

Scheduler::Scheduler(SchedulerOptions options) : options_(options), pool_(options.block_count) {
  CHECK(options.block_tokens > 0 && options.prefill_chunk > 0 && options.max_sequences > 0);
}

Result<> Scheduler::submit(const NewSequence& sequence) {
  CHECK(sequence.prompt_tokens > 0 && sequence.max_tokens > 0);
  CHECK(!sequences_.contains(sequence.id));
  const TokenCount capacity = TokenCount{pool_.total()} * options_.block_tokens;
  if (sequence.prompt_tokens > capacity || sequence.max_tokens - 1 > capacity - sequence.prompt_tokens) {
    return fail(ErrorCode::kContextLengthExceeded, "a sequence of {} + {} tokens does not fit into {} tokens",
                sequence.prompt_tokens, sequence.max_tokens, capacity);
  }
  if (fresh_waiting_ >= options_.max_waiting) {
    return fail(ErrorCode::kOverloaded, "{} requests are waiting already", fresh_waiting_);
  }
  const Rank rank = next_rank_++;
  Sequence& added = sequences_[sequence.id];
  added = {.id = sequence.id,
           .rank = rank,
           .prompt = sequence.prompt_tokens,
           .max = sequence.max_tokens,
           .allowed = sequence.allowed_tokens};
  waiting_.emplace(rank, &added);
  ++fresh_waiting_;
  return {};
}

void Scheduler::allow(SequenceId id, TokenCount total) {
  const auto found = sequences_.find(id);
  if (found != sequences_.end()) found->second.allowed = std::max(found->second.allowed, total);
}

void Scheduler::end(SequenceId id) {
  CHECK(!plan_open_);
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) return;
  Sequence& sequence = found->second;
  pool_.give_back(sequence.blocks);
  if (!sequence.started) --fresh_waiting_;
  running_.erase(sequence.rank);
  waiting_.erase(sequence.rank);
  sequences_.erase(found);
}

const StepPlan& Scheduler::plan() {
  CHECK(!plan_open_);
  plan_.preempted.clear();
  do {
    plan_once();
  } while (plan_.slices.empty() && anyone_can_run() && preempt_cheapest_parked());
  CHECK(!plan_.slices.empty() || !anyone_can_run());
  plan_open_ = !plan_.slices.empty();
  return plan_;
}

void Scheduler::plan_once() {
  plan_.slices.clear();
  prefill_budget_ = options_.prefill_chunk;
  // Serving may preempt sequences further down the line; a map's iterators survive that.
  for (auto place = running_.begin(); place != running_.end() && !step_is_full(); ++place) {
    if (!place->second->parked()) serve(*place->second);
  }
  start_waiting();
}

void Scheduler::serve(Sequence& sequence) {
  const TokenCount pending = sequence.known() - sequence.computed;
  const bool decode = pending == 1 && sequence.output > 0;
  const TokenCount wanted = decode ? 1 : std::min<TokenCount>(pending, prefill_budget_);
  if (wanted == 0) return;
  const TokenCount end = cover(sequence, sequence.computed + wanted);
  if (end <= sequence.computed) return;

  const TokenCount redone =
      std::clamp<TokenCount>(sequence.high_water - sequence.computed, 0, end - sequence.computed);
  plan_.slices.push_back({.id = sequence.id,
                          .from = sequence.computed,
                          .count = static_cast<int>(end - sequence.computed),
                          .recomputed = static_cast<int>(redone),
                          .samples = end == sequence.known(),
                          .blocks = sequence.blocks});
  if (!decode) prefill_budget_ -= static_cast<int>(end - sequence.computed);
}

void Scheduler::start_waiting() {
  int unpromised = unpromised_blocks();
  for (auto place = waiting_.begin(); place != waiting_.end() && prefill_budget_ > 0 && !step_is_full();) {
    Sequence& sequence = *place->second;
    if (sequence.parked()) {
      ++place;
      continue;
    }
    const int needed = blocks_for(sequence.next_length());
    if (needed > unpromised) return;
    unpromised -= needed;
    if (!sequence.started) --fresh_waiting_;
    sequence.started = true;
    running_.emplace(sequence.rank, &sequence);
    place = waiting_.erase(place);
    serve(sequence);
  }
}

void Scheduler::step_done() {
  CHECK(plan_open_);
  plan_open_ = false;
  for (const PlannedSlice& slice : plan_.slices) {
    Sequence& sequence = sequences_.at(slice.id);
    sequence.computed = slice.from + slice.count;
    sequence.high_water = std::max(sequence.high_water, sequence.computed);
    if (slice.samples) ++sequence.output;
  }
}

bool Scheduler::step_is_full() const {
  return plan_.slices.size() >= static_cast<size_t>(options_.max_sequences);
}

TokenCount Scheduler::cover(Sequence& sequence, TokenCount length) {
  const auto needed = static_cast<size_t>(blocks_for(length));
  while (sequence.blocks.size() < needed) {
    if (pool_.free() == 0 && !preempt_cheapest_after(sequence.rank)) break;
    sequence.blocks.push_back(pool_.take());
  }
  return std::min<TokenCount>(length,
                              static_cast<TokenCount>(sequence.blocks.size()) * options_.block_tokens);
}

bool Scheduler::preempt_cheapest_after(Rank rank) {
  Sequence* cheapest = nullptr;
  for (auto place = running_.upper_bound(rank); place != running_.end(); ++place) {
    Sequence* candidate = place->second;
    if (candidate->blocks.empty()) continue;
    // Of equals the last in line gives way.
    if (cheapest == nullptr || candidate->computed <= cheapest->computed) cheapest = candidate;
  }
  if (cheapest != nullptr) preempt(*cheapest);
  return cheapest != nullptr;
}

bool Scheduler::preempt_cheapest_parked() {
  Sequence* cheapest = nullptr;
  for (const auto& [rank, candidate] : running_) {
    if (!candidate->parked() || candidate->blocks.empty()) continue;
    if (cheapest == nullptr || candidate->computed <= cheapest->computed) cheapest = candidate;
  }
  if (cheapest != nullptr) preempt(*cheapest);
  return cheapest != nullptr;
}

void Scheduler::preempt(Sequence& victim) {
  pool_.give_back(victim.blocks);
  victim.blocks.clear();
  victim.computed = 0;
  running_.erase(victim.rank);
  waiting_.emplace(victim.rank, &victim);
  plan_.preempted.push_back(victim.id);
  ++preemptions_;
}

bool Scheduler::anyone_can_run() const {
  const auto can_run = [](const auto& place) { return !place.second->parked(); };
  return std::ranges::any_of(running_, can_run) || std::ranges::any_of(waiting_, can_run);
}

int Scheduler::blocks_for(TokenCount tokens) const {
  return static_cast<int>((tokens + options_.block_tokens - 1) / options_.block_tokens);
}

int Scheduler::unpromised_blocks() const {
  int unpromised = pool_.free();
  for (const auto& [rank, sequence] : running_) {
    if (sequence->parked()) continue;
    unpromised -=
        std::max(0, blocks_for(sequence->next_length()) - static_cast<int>(sequence->blocks.size()));
  }
  return unpromised;
}

}  // namespace feilun::scheduler
