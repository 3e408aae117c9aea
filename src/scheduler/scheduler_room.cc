#include <algorithm>

#include "scheduler/scheduler.h"

// Where blocks come from: those that are free, those that only the cache keeps, those of sequences further
// down the line.

namespace feilun::scheduler {

TokenCount Scheduler::cover(Sequence& sequence, TokenCount length) {
  while (!cache_.reserve(sequence.table, length, draft_.now)) {
    if (!preempt_cheapest_dozing(sequence.place.level) && !preempt_cheapest_behind(sequence.place)) break;
  }
  const auto blocks = static_cast<TokenCount>(sequence.table.blocks.size());
  return std::min<TokenCount>(length, blocks * options_.block_tokens);
}

/// Whether a waiting sequence may start now: there is room, or those of a worse level and those that doze can
/// give it.
bool Scheduler::make_room(const Sequence& sequence) {
  int unpromised = unpromised_blocks();
  int needed = blocks_to_start(sequence);
  if (needed <= unpromised) return true;
  int lower = 0;
  for (const auto& [place, other] : running_) {
    const bool dozing = dozes(*other) && place.level == sequence.place.level;
    if (dozing || place.level > sequence.place.level) {
      lower += static_cast<int>(other->table.blocks.size()) + blocks_promised(*other);
    }
  }
  if (needed > unpromised + lower) return false;
  // The rank of nobody: behind all of this level, before all of the next.
  const Place behind{.level = sequence.place.level, .rank = ~Rank{0}};
  while (needed > unpromised) {
    if (!preempt_cheapest_dozing(behind.level) && !preempt_cheapest_behind(behind)) return false;
    unpromised = unpromised_blocks();
    needed = blocks_to_start(sequence);
  }
  return true;
}

/// Its client has not let it go on for a while: to stop it costs nobody's progress.
bool Scheduler::dozes(const Sequence& sequence) const {
  return sequence.parked_since && draft_.now - *sequence.parked_since >= options_.reader_pause;
}

bool Scheduler::preempt_cheapest_dozing(int level) {
  Sequence* cheapest = nullptr;
  for (const auto& [place, candidate] : running_) {
    if (place.level < level || !dozes(*candidate) || candidate->table.blocks.empty()) continue;
    if (cheapest == nullptr || candidate->computed <= cheapest->computed) cheapest = candidate;
  }
  if (cheapest != nullptr) preempt(*cheapest);
  return cheapest != nullptr;
}

bool Scheduler::preempt_cheapest_behind(Place place) {
  Sequence* cheapest = nullptr;
  for (auto other = running_.upper_bound(place); other != running_.end(); ++other) {
    Sequence* candidate = other->second;
    if (candidate->table.blocks.empty()) continue;
    const bool worse_level = cheapest != nullptr && candidate->place.level > cheapest->place.level;
    // Of equals the last in line gives way.
    if (cheapest == nullptr || worse_level || candidate->computed <= cheapest->computed) cheapest = candidate;
  }
  if (cheapest != nullptr) preempt(*cheapest);
  return cheapest != nullptr;
}

bool Scheduler::preempt_cheapest_parked() {
  Sequence* cheapest = nullptr;
  for (const auto& [place, candidate] : running_) {
    if (!candidate->parked() || candidate->table.blocks.empty()) continue;
    if (cheapest == nullptr || candidate->computed <= cheapest->computed) cheapest = candidate;
  }
  if (cheapest != nullptr) preempt(*cheapest);
  return cheapest != nullptr;
}

void Scheduler::preempt(Sequence& victim) {
  const auto chosen = std::ranges::find(draft_.chosen, &victim);
  if (chosen != draft_.chosen.end()) drop(static_cast<size_t>(chosen - draft_.chosen.begin()));
  cache_.release(victim.table, FinishClass::kPreempted, draft_.now);
  victim.computed = 0;
  victim.running = false;
  victim.parked_since.reset();
  --victim.tenant->running;
  running_.erase(victim.place);
  waiting_.emplace(victim.place, &victim);
  plan_.preempted.push_back(victim.id);
  ++preemptions_;
}

int Scheduler::blocks_for(TokenCount tokens) const {
  return static_cast<int>((tokens + options_.block_tokens - 1) / options_.block_tokens);
}

int Scheduler::blocks_promised(const Sequence& sequence) const {
  if (sequence.parked()) return 0;
  return std::max(0, blocks_for(sequence.next_length()) - static_cast<int>(sequence.table.blocks.size()));
}

/// Of those that are free or only cached; what it shares with running sequences needs none.
int Scheduler::blocks_to_start(const Sequence& sequence) const {
  const PrefixMatch match = cache_.peek(sequence.tenant_id, sequence.tokens);
  return blocks_for(sequence.next_length()) - match.blocks + match.idle;
}

int Scheduler::unpromised_blocks() const {
  int unpromised = cache_.available();
  for (const auto& [place, sequence] : running_) unpromised -= blocks_promised(*sequence);
  return unpromised;
}

}  // namespace feilun::scheduler
