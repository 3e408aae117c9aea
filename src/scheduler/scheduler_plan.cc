#include <algorithm>

#include "base/check.h"
#include "scheduler/scheduler.h"

// How a step is planned: first the decodes, in line, then chunks of prompts for as long as the step may take.

namespace feilun::scheduler {
namespace {

constexpr std::chrono::nanoseconds kNoLimit = std::chrono::nanoseconds::max();
constexpr TokenCount kGuessesMost = 7;

}  // namespace

const StepPlan& Scheduler::plan(MonoTime now, const StepCost& cost) {
  CHECK(!plan_open_);
  plan_.preempted.clear();
  draft_.now = now;
  draft_.cost = cost;
  raise_levels(running_);
  raise_levels(waiting_);
  note_who_is_parked();
  do {
    plan_once();
  } while (draft_.chosen.empty() && anyone_can_run() && preempt_cheapest_parked());
  CHECK(!draft_.chosen.empty() || !anyone_can_run());
  speculate();
  write_plan();
  plan_open_ = !plan_.slices.empty();
  return plan_;
}

void Scheduler::raise_levels(Line& line) {
  std::vector<Sequence*> risen;
  for (auto place = line.begin(); place != line.end();) {
    Sequence& sequence = *place->second;
    const auto waited = (draft_.now - sequence.arrived) / options_.patience;
    const int level = static_cast<int>(std::max<int64_t>(0, static_cast<int64_t>(sequence.tier) - waited));
    if (level >= sequence.place.level) {
      ++place;
      continue;
    }
    place = line.erase(place);
    sequence.place.level = level;
    risen.push_back(&sequence);
  }
  for (Sequence* sequence : risen) line.emplace(sequence->place, sequence);
}

void Scheduler::note_who_is_parked() {
  for (const auto& [place, sequence] : running_) {
    if (!sequence->parked()) {
      sequence->parked_since.reset();
    } else if (!sequence->parked_since) {
      sequence->parked_since = draft_.now;
    }
  }
}

void Scheduler::plan_once() {
  draft_.chosen.clear();
  draft_.lengths.clear();
  draft_.prompt_tokens_left = options_.prefill_chunk;
  draft_.has_prompt = false;
  serve_decodes();
  draft_.limit = limit_beside_streams();
  serve_prompts();
}

void Scheduler::speculate() {
  for (Sequence* sequence : draft_.chosen) {
    sequence->guess.clear();
    sequence->unasked.reset();
  }
  if (!options_.speculate || draft_.has_prompt) return;
  StepWork step = work();
  for (Sequence* sequence : draft_.chosen) {
    const auto room = static_cast<TokenCount>(sequence->table.blocks.size()) * options_.block_tokens;
    const TokenCount left = std::min(sequence->max, sequence->allowed) - sequence->output();
    const TokenCount most = std::min({kGuessesMost, room - sequence->known(), left - 1});
    sequence->lookup.read(sequence->tokens);
    const auto guess = sequence->lookup.guess(sequence->tokens, most);
    const size_t count = guesses_worth(*sequence, guess.size(), step);
    sequence->guess.assign(guess.begin(), guess.begin() + static_cast<ptrdiff_t>(count));
    if (count == 0 && !guess.empty()) sequence->unasked = guess.front();
  }
}

/// A guess gains a token, when all those before it are right too, and takes its row. `step` grows with those
/// that are worth it.
size_t Scheduler::guesses_worth(const Sequence& sequence, size_t most, StepWork& step) const {
  const auto nanoseconds = [this](const StepWork& work) {
    return static_cast<double>(draft_.cost.predict(work).count());
  };
  const double token = nanoseconds(step) / static_cast<double>(draft_.chosen.size());
  double right = 1;
  for (size_t count = 0; count < most; ++count) {
    right *= sequence.trust;
    const StepWork with = step + StepWork::guesses(1);
    if (nanoseconds(with) - nanoseconds(step) > right * token) return count;
    step = with;
  }
  return most;
}

/// Streams that wait for their allowance count too, for a while: they may go on at any moment.
std::chrono::nanoseconds Scheduler::limit_beside_streams() const {
  StepWork streams = work();
  bool watched = std::ranges::any_of(
      draft_.chosen, [](const Sequence* sequence) { return sequence->tier <= Tier::kDefault; });
  for (const auto& [place, sequence] : running_) {
    if (!sequence->parked() || !sequence->decoding() || dozes(*sequence)) continue;
    if (sequence->tier > Tier::kDefault) continue;
    streams += StepWork::decode(sequence->known());
    watched = true;
  }
  if (!watched) return kNoLimit;
  const auto alone = static_cast<double>(draft_.cost.predict(streams).count());
  return std::chrono::nanoseconds(static_cast<int64_t>(alone * options_.prefill_stretch));
}

void Scheduler::serve_decodes() {
  // Serving may preempt sequences further down the line; a map's iterators survive that.
  for (auto place = running_.begin(); place != running_.end(); ++place) {
    if (draft_.chosen.size() >= static_cast<size_t>(options_.max_sequences)) return;
    Sequence& sequence = *place->second;
    if (sequence.parked() || !sequence.decoding()) continue;
    if (cover(sequence, sequence.known()) == sequence.known()) choose(sequence, sequence.known());
  }
}

void Scheduler::serve_prompts() {
  std::vector<Sequence*> running;
  for (const auto& [place, sequence] : running_) {
    if (!sequence->parked() && !sequence->decoding()) running.push_back(sequence);
  }
  auto next_running = running.begin();
  bool queue_is_stuck = false;
  while (draft_.prompt_tokens_left > 0) {
    while (next_running != running.end() && !may_be_served(**next_running)) ++next_running;
    Sequence* begun = next_running != running.end() ? *next_running : nullptr;
    Sequence* queued = queue_is_stuck ? nullptr : next_waiting();
    if (queued != nullptr && (begun == nullptr || queued->place.level < begun->place.level)) {
      // Nobody overtakes the next in line.
      queue_is_stuck = !has_slot(queued->place.level) || !start(*queued);
      if (!queue_is_stuck && !serve_chunk(*queued)) return;
    } else if (begun != nullptr) {
      ++next_running;
      if (!has_slot(begun->place.level) || !serve_chunk(*begun)) return;
    } else {
      return;
    }
  }
}

/// It was not stopped meanwhile, nor stopped and started again.
bool Scheduler::may_be_served(const Sequence& sequence) const {
  return sequence.running && std::ranges::find(draft_.chosen, &sequence) == draft_.chosen.end();
}

/// False when the step has no time left for it.
bool Scheduler::serve_chunk(Sequence& sequence) {
  find_in_cache(sequence);
  const TokenCount tokens = largest_chunk(sequence);
  if (tokens == 0) return false;
  const TokenCount covered = cover(sequence, sequence.computed + tokens);
  if (covered <= sequence.computed) return true;
  if (draft_.chosen.size() >= static_cast<size_t>(options_.max_sequences)) take_slot();
  draft_.prompt_tokens_left -= static_cast<int>(covered - sequence.computed);
  draft_.has_prompt = true;
  choose(sequence, covered);
  return true;
}

/// Tokens of its prompt that the step still has time for. The first prompt of a step gets at least one.
TokenCount Scheduler::largest_chunk(const Sequence& sequence) const {
  TokenCount most = std::min<TokenCount>(sequence.pending(), draft_.prompt_tokens_left);
  if (draft_.limit == kNoLimit) return most;
  const StepWork others = work();
  TokenCount least = draft_.has_prompt ? 0 : 1;
  while (least < most) {
    const TokenCount middle = least + (most - least + 1) / 2;
    const StepWork all = others + work_of(sequence, sequence.computed + middle);
    if (draft_.cost.predict(all) <= draft_.limit) {
      least = middle;
    } else {
      most = middle - 1;
    }
  }
  return least;
}

/// A neighbour that begins alike may have got ahead: what it has published need not be computed.
void Scheduler::find_in_cache(Sequence& sequence) {
  sequence.computed = std::max(sequence.computed, cache_.match(sequence.table, sequence.tokens, draft_.now));
}

Scheduler::Sequence* Scheduler::next_waiting() const {
  const auto key = [](const Sequence& sequence) {
    return std::tuple(sequence.place.level, !sequence.started, sequence.tenant->counter,
                      sequence.tenant->running, sequence.place.rank);
  };
  Sequence* next = nullptr;
  for (const auto& [place, sequence] : waiting_) {
    if (next != nullptr && place.level > next->place.level) break;
    if (!sequence->parked() && (next == nullptr || key(*sequence) < key(*next))) next = sequence;
  }
  return next;
}

bool Scheduler::start(Sequence& sequence) {
  if (!make_room(sequence)) return false;
  if (!sequence.started) --fresh_waiting_;
  sequence.started = true;
  sequence.running = true;
  ++sequence.tenant->running;
  waiting_.erase(sequence.place);
  running_.emplace(sequence.place, &sequence);
  return true;
}

bool Scheduler::has_slot(int level) const {
  if (draft_.chosen.size() < static_cast<size_t>(options_.max_sequences)) return true;
  return std::ranges::any_of(draft_.chosen,
                             [level](const Sequence* chosen) { return chosen->place.level > level; });
}

/// The last in line waits for the next step, keeping its blocks.
void Scheduler::take_slot() {
  const auto last = std::ranges::max_element(draft_.chosen, {}, [](const Sequence* s) { return s->place; });
  drop(static_cast<size_t>(last - draft_.chosen.begin()));
}

void Scheduler::choose(Sequence& sequence, TokenCount length) {
  draft_.chosen.push_back(&sequence);
  draft_.lengths.push_back(length);
}

void Scheduler::drop(size_t chosen) {
  draft_.chosen.erase(draft_.chosen.begin() + static_cast<ptrdiff_t>(chosen));
  draft_.lengths.erase(draft_.lengths.begin() + static_cast<ptrdiff_t>(chosen));
}

StepWork Scheduler::work_of(const Sequence& sequence, TokenCount length) const {
  if (sequence.decoding()) return StepWork::decode(length);
  return StepWork::chunk(sequence.computed, length - sequence.computed, length == sequence.known());
}

StepWork Scheduler::work() const {
  StepWork work;
  for (size_t i = 0; i < draft_.chosen.size(); ++i) work += work_of(*draft_.chosen[i], draft_.lengths[i]);
  return work;
}

void Scheduler::write_plan() {
  plan_.slices.clear();
  for (size_t i = 0; i < draft_.chosen.size(); ++i) {
    Sequence& sequence = *draft_.chosen[i];
    const TokenCount length = draft_.lengths[i];
    const TokenCount count = length - sequence.computed;
    const TokenCount redone = std::clamp<TokenCount>(sequence.high_water - sequence.computed, 0, count);
    // What lies before the slice and was never computed by it was found.
    const TokenCount found =
        std::max<TokenCount>(0, std::min(sequence.computed, sequence.prompt) - sequence.high_water);
    sequence.found += found;
    sequence.high_water = std::max(sequence.high_water, sequence.computed);
    const auto blocks =
        static_cast<size_t>(blocks_for(length + static_cast<TokenCount>(sequence.guess.size())));
    plan_.slices.push_back({.id = sequence.id,
                            .from = sequence.computed,
                            .count = static_cast<int>(count),
                            .recomputed = static_cast<int>(redone),
                            .cached = static_cast<int>(found),
                            .decode = sequence.decoding(),
                            .samples = length == sequence.known(),
                            .guess = sequence.guess,
                            .blocks = std::span(sequence.table.blocks).first(blocks)});
  }
}

bool Scheduler::anyone_can_run() const {
  const auto can_run = [](const auto& place) { return !place.second->parked(); };
  return std::ranges::any_of(running_, can_run) || std::ranges::any_of(waiting_, can_run);
}

}  // namespace feilun::scheduler
