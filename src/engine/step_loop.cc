#include "engine/step_loop.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/check.h"
#include "engine/attribution.h"

namespace feilun::engine {
namespace {

using scheduler::PlannedSlice;
using scheduler::StepPlan;
using scheduler::StepWork;

/// Unknown to whoever sends prompts, so that nobody can make them meet in one bucket of the cache.
uint64_t secret() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

scheduler::SchedulerOptions scheduler_options(const Backend& backend, const EngineOptions& options) {
  return {.block_count = backend.block_count(),
          .block_tokens = Backend::kBlockTokens,
          .prefill_chunk = options.prefill_chunk,
          .max_sequences = options.max_sequences,
          .max_waiting = options.max_waiting,
          .prefill_stretch = options.prefill_stretch,
          .cache = options.prefix_cache,
          .share_prefixes = options.share_prefixes,
          .speculate = options.speculate,
          .hash_key = secret()};
}

/// What of a slice is new, and what is done again.
StepLoad load_of(const PlannedSlice& slice) {
  StepLoad load;
  if (slice.recomputed == slice.count) {
    load.wasted = slice.work();
  } else if (slice.recomputed == 0) {
    load.useful = slice.work();
  } else {
    load.wasted = StepWork::chunk(slice.from, slice.recomputed, false);
    load.useful =
        StepWork::chunk(slice.from + slice.recomputed, slice.count - slice.recomputed, slice.samples);
  }
  return load;
}

scheduler::FinishClass finish_class(const Session& session) {
  return session.ended_by(FinishReason::kStop) ? scheduler::FinishClass::kEnd
                                               : scheduler::FinishClass::kOther;
}

/// Prompt tokens of the slice that no earlier step had computed.
int fresh_prompt_tokens(const PlannedSlice& slice, TokenCount prompt_tokens) {
  const int64_t from = slice.from + slice.recomputed;
  const int64_t end = std::min<int64_t>(slice.from + slice.count, prompt_tokens);
  return static_cast<int>(std::max<int64_t>(0, end - from));
}

}  // namespace

int vocabulary_of(const model::ModelFile& file, const Backend& backend) {
  return std::min(file.tokenizer->vocabulary_size(), backend.vocabulary_size());
}

StepLoop::StepLoop(const model::ModelFile& file, Backend& backend, const EngineOptions& options,
                   Mailbox& mailbox)
    : file_(file),
      backend_(backend),
      options_(options),
      mailbox_(mailbox),
      scheduler_(scheduler_options(backend, options)),
      time_(clock_.mono()),
      sampler_(vocabulary_of(file, backend)),
      memory_charged_until_(clock_.mono()) {
  stats_.kv_blocks_total = scheduler_.cache().total();
  publish({});
}

bool StepLoop::step() {
  const MonoTime now = clock_.mono();
  const StepPlan& plan = scheduler_.plan(now, step_cost_.cost());
  if (plan.slices.empty()) {
    if (!time_.idle_since()) {
      time_.rest();
      publish({});
    }
    return false;
  }
  const bool rested = time_.idle_since().has_value();
  time_.work(now);
  if (rested) publish({});  // so that nobody counts the pass as idle while it runs
  const std::span<const float> logits = forward(plan);
  sample(plan, logits);
  settle_up(plan);
  deliver();
  return true;
}

void StepLoop::apply(std::vector<Command> commands) {
  if (commands.empty()) return;
  for (Command& command : commands) {
    std::visit([this](auto& one) { apply_one(std::move(one)); }, command);
  }
  deliver();
}

void StepLoop::apply_one(SubmitCommand command) {
  const SequenceId sequence = next_sequence_++;
  const Generation& generation = command.generation;
  const Result<> queued = scheduler_.submit({.id = sequence,
                                             .prompt = generation.prompt,
                                             .max_tokens = generation.max_tokens,
                                             .allowed_tokens = generation.allowed_tokens,
                                             .tenant = std::hash<std::string>()(generation.tenant),
                                             .tier = generation.tier},
                                            clock_.mono());
  // The mailbox counted the queue and the engine measured the length before they let it in.
  CHECK(queued.has_value());
  sequences_by_id_.emplace(generation.id, sequence);
  sessions_.emplace(sequence, std::make_unique<Session>(sequence, std::move(command.generation),
                                                        std::move(command.sink), file_));
}

void StepLoop::apply_one(const AllowCommand& command) {
  Session* session = find(command.id);
  if (session == nullptr || session->ended()) return;
  scheduler_.allow(session->sequence(), command.total);
  session->allow(command.total, command.final);
  if (session->ended()) touched_.push_back(session);
}

void StepLoop::apply_one(const CancelCommand& command) {
  Session* session = find(command.id);
  if (session == nullptr || session->ended()) return;
  session->end(FinishReason::kCancelled);
  touched_.push_back(session);
}

void StepLoop::cancel_all() {
  for (const auto& [sequence, session] : sessions_) {
    session->end(FinishReason::kCancelled);
    touched_.push_back(session.get());
  }
  std::ranges::sort(touched_, {}, &Session::sequence);
  deliver();
  scheduler_.check();
}

std::span<const float> StepLoop::forward(const StepPlan& plan) {
  slices_.clear();
  rows_.clear();
  size_t rows = 0;
  for (const PlannedSlice& planned : plan.slices) rows += planned.count + planned.guess.size();
  rows_.reserve(rows);  // spans point into it
  for (const PlannedSlice& planned : plan.slices) {
    const auto own = session_of(planned.id)
                         .tokens()
                         .subspan(static_cast<size_t>(planned.from), static_cast<size_t>(planned.count));
    const size_t first = rows_.size();
    rows_.insert(rows_.end(), own.begin(), own.end());
    rows_.insert(rows_.end(), planned.guess.begin(), planned.guess.end());
    slices_.push_back({.tokens = std::span(rows_).subspan(first),
                       .position = planned.from,
                       .blocks = planned.blocks,
                       .logits = planned.samples ? 1 + static_cast<int>(planned.guess.size()) : 0});
  }
  return backend_.forward(slices_);
}

void StepLoop::sample(const StepPlan& plan, std::span<const float> logits) {
  const auto vocabulary = static_cast<size_t>(backend_.vocabulary_size());
  sampled_.clear();
  sampled_of_slice_.clear();
  for (const PlannedSlice& planned : plan.slices) {
    const size_t before = sampled_.size();
    if (planned.samples) {
      sample_slice(planned, logits);
      logits = logits.subspan(vocabulary * (1 + planned.guess.size()));
    }
    sampled_of_slice_.push_back(static_cast<int>(sampled_.size() - before));
  }
}

/// The token after the slice, and as long as guesses were right those after them: each is sampled as it would
/// be in a pass of its own, from the same logits and with the same random number.
void StepLoop::sample_slice(const PlannedSlice& slice, std::span<const float> logits) {
  Session& session = session_of(slice.id);
  stats_.guessed_tokens += static_cast<TokenCount>(slice.guess.size());
  for (size_t i = 0; i <= slice.guess.size(); ++i) {
    const auto choices = logits.subspan(i * static_cast<size_t>(backend_.vocabulary_size()))
                             .first(static_cast<size_t>(sampler_.vocabulary_size()));
    auto token =
        sampler_.sample(choices, session.generation().sampling, session.history(), session.next_point());
    if (!token) {
      sampled_.push_back(scheduler::Scheduler::kNoToken);
      return session.end(FinishReason::kFailed, std::move(token).error());
    }
    const TokenId id = token->id;
    const bool right = i < slice.guess.size() && id == slice.guess[i];
    ++stats_.output_tokens;
    stats_.guessed_right_tokens += right ? 1 : 0;
    session.add_token(std::move(*token));
    sampled_.push_back(right && session.ended() ? scheduler::Scheduler::kNoToken : id);
    if (!right || session.ended()) return;
  }
}

void StepLoop::settle_up(const StepPlan& plan) {
  const MonoTime now = clock_.mono();
  const std::chrono::nanoseconds measured = time_.step(now);
  for (const PlannedSlice& slice : plan.slices) {
    Session& session = session_of(slice.id);
    count_prompt(slice, session);
    touched_.push_back(&session);
  }
  attribute(plan, measured);
  ++stats_.steps;
  if (options_.on_step) trace(plan, measured);
  scheduler_.step_done(sampled_, now);
}

void StepLoop::count_prompt(const PlannedSlice& slice, Session& session) {
  const int computed = fresh_prompt_tokens(slice, session.prompt_tokens());
  // Prompts are computed in chunks, where arithmetic bounds.
  constexpr double kManyRows = 1e6;
  const double saved = step_cost_.cost().line_at(kManyRows).of(
      StepWork::chunk(slice.from - slice.cached, slice.cached, false));
  const std::chrono::nanoseconds saved_ns(static_cast<int64_t>(saved));
  session.add_prompt(computed, slice.cached, saved_ns);
  stats_.prompt_tokens += computed;
  stats_.cached_tokens += slice.cached;
  stats_.saved += saved_ns;
  stats_.recomputed_tokens += slice.recomputed;
}

/// Everything measured becomes somebody's or waste, and the model learns from it.
void StepLoop::attribute(const StepPlan& plan, std::chrono::nanoseconds measured) {
  std::vector<StepLoad> loads;
  StepWork all;
  for (const PlannedSlice& slice : plan.slices) {
    loads.push_back(load_of(slice));
    all += slice.work();
  }
  const scheduler::StepCost& cost = step_cost_.cost();
  const StepShares shares = share_step(measured, loads, cost);
  stats_.busy += measured;
  stats_.wasted += shares.wasted;
  for (size_t i = 0; i < plan.slices.size(); ++i) {
    Session& session = session_of(plan.slices[i].id);
    session.add_attributed(shares.useful[i], cost.version);
    scheduler_.charge(plan.slices[i].id, shares.useful[i]);
    // Nobody pays for what failed.
    if (session.ended_by(FinishReason::kFailed)) stats_.wasted += session.forgive();
  }
  step_cost_.observe(all, measured);
}

void StepLoop::trace(const StepPlan& plan, std::chrono::nanoseconds measured) const {
  StepTrace trace{.step = stats_.steps, .duration = measured};
  for (size_t i = 0; i < plan.slices.size(); ++i) {
    const PlannedSlice& slice = plan.slices[i];
    const Session& session = *sessions_.at(slice.id);
    trace.rows.push_back({.id = session.id(),
                          .prompt_tokens = fresh_prompt_tokens(slice, session.prompt_tokens()),
                          .output_tokens = sampled_of_slice_[i],
                          .recomputed_tokens = slice.recomputed});
  }
  options_.on_step(trace);
}

/// KV memory costs its holders as long as they hold it, whether they run or wait for their allowance.
void StepLoop::charge_for_memory() {
  const MonoTime now = clock_.mono();
  const std::chrono::duration<double> elapsed = now - std::exchange(memory_charged_until_, now);
  const auto block_bytes = static_cast<double>(kv_block_bytes(file_.shape, options_.kv_bf16));
  for (const auto& [sequence, blocks] : scheduler_.holdings()) {
    const double byte_seconds = blocks * block_bytes * elapsed.count();
    session_of(sequence).add_kv_byte_seconds(byte_seconds);
    stats_.kv_byte_seconds += byte_seconds;
  }
}

/// Frees and publishes before any sink is called: who hears the last event finds the stats complete.
void StepLoop::deliver() {
  charge_for_memory();
  std::vector<std::string> ended;
  for (const Session* session : touched_) {
    if (!session->ended()) continue;
    ended.push_back(session->id());
    scheduler_.end(session->sequence(), finish_class(*session), clock_.mono());
    sequences_by_id_.erase(session->id());
  }
  stats_.running = scheduler_.running();
  stats_.waiting = static_cast<int>(sessions_.size() - ended.size()) - stats_.running;
  publish(ended);

  for (Session* session : std::exchange(touched_, {})) {
    const bool last = session->ended();
    session->deliver();
    if (last) sessions_.erase(session->sequence());
  }
}

void StepLoop::publish(std::span<const std::string> ended) {
  const scheduler::PrefixCache& cache = scheduler_.cache();
  const scheduler::StepCost& cost = step_cost_.cost();
  stats_.sampled_tokens = sampler_.sampled();
  stats_.preemptions = scheduler_.preemptions();
  stats_.kv_blocks_used = cache.used();
  stats_.kv_blocks_cached = cache.cached();
  stats_.waiting_by_tier = scheduler_.waiting_by_tier();
  stats_.evictions = cache.evictions();
  stats_.idle = time_.idle();
  stats_.time = time_.told();
  stats_.step_model = {.version = cost.version,
                       .steps = step_cost_.steps(),
                       .r_squared = step_cost_.r_squared(),
                       .residual = step_cost_.residual(),
                       .crossover_rows = static_cast<int>(cost.crossover)};
  mailbox_.publish(stats_,
                   {.fresh_waiting = scheduler_.waiting(),
                    .forecast = scheduler_.forecast(cost),
                    .idle_since = time_.idle_since()},
                   ended);
}

Session* StepLoop::find(const std::string& id) {
  const auto found = sequences_by_id_.find(id);
  return found == sequences_by_id_.end() ? nullptr : sessions_.at(found->second).get();
}

}  // namespace feilun::engine
