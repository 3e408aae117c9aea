#include "engine/step_loop.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/attribution.h"

namespace feilun::engine {
namespace {

using scheduler::PlannedSlice;
using scheduler::StepPlan;

scheduler::SchedulerOptions scheduler_options(const Backend& backend, const EngineOptions& options) {
  return {.block_count = backend.block_count(),
          .block_tokens = Backend::kBlockTokens,
          .prefill_chunk = options.prefill_chunk,
          .max_sequences = options.max_sequences,
          .max_waiting = options.max_waiting};
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
      sampler_(vocabulary_of(file, backend)) {
  stats_.kv_blocks_total = scheduler_.blocks_total();
  mailbox_.publish(stats_, 0, {});
}

bool StepLoop::step() {
  const StepPlan& plan = scheduler_.plan();
  if (plan.slices.empty()) return false;
  const auto begin = std::chrono::steady_clock::now();
  const std::span<const float> logits = forward(plan);
  sample(plan, logits);
  settle_up(plan, std::chrono::steady_clock::now() - begin);
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
  const Result<> queued =
      scheduler_.submit({.id = sequence,
                         .prompt_tokens = static_cast<TokenCount>(generation.prompt.size()),
                         .max_tokens = generation.max_tokens,
                         .allowed_tokens = generation.allowed_tokens});
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
}

std::span<const float> StepLoop::forward(const StepPlan& plan) {
  slices_.clear();
  for (const PlannedSlice& planned : plan.slices) {
    const auto from = static_cast<size_t>(planned.from);
    slices_.push_back(
        {.tokens = session_of(planned.id).tokens().subspan(from, static_cast<size_t>(planned.count)),
         .position = planned.from,
         .blocks = planned.blocks,
         .wants_logits = planned.samples});
  }
  return backend_.forward(slices_);
}

void StepLoop::sample(const StepPlan& plan, std::span<const float> logits) {
  const auto vocabulary = static_cast<size_t>(backend_.vocabulary_size());
  for (const PlannedSlice& planned : plan.slices) {
    if (!planned.samples) continue;
    Session& session = session_of(planned.id);
    const auto choices = logits.first(static_cast<size_t>(sampler_.vocabulary_size()));
    auto token =
        sampler_.sample(choices, session.generation().sampling, session.history(), session.next_point());
    logits = logits.subspan(vocabulary);
    if (token) {
      ++stats_.output_tokens;
      session.add_token(std::move(*token));
    } else {
      session.end(FinishReason::kFailed, std::move(token).error());
    }
  }
}

void StepLoop::settle_up(const StepPlan& plan, std::chrono::nanoseconds measured) {
  std::vector<StepLoad> loads;
  for (const PlannedSlice& slice : plan.slices) {
    loads.push_back({.useful_tokens = slice.count - slice.recomputed, .wasted_tokens = slice.recomputed});
  }
  const StepShares shares = share_step(measured, loads);
  for (size_t i = 0; i < plan.slices.size(); ++i) {
    const PlannedSlice& slice = plan.slices[i];
    Session& session = session_of(slice.id);
    const int prompt_tokens = fresh_prompt_tokens(slice, session.prompt_tokens());
    session.add_prompt_computed(prompt_tokens);
    session.add_attributed(shares.useful[i]);
    touched_.push_back(&session);
    stats_.prompt_tokens += prompt_tokens;
    stats_.recomputed_tokens += slice.recomputed;
  }
  ++stats_.steps;
  stats_.busy += measured;
  stats_.wasted += shares.wasted;
  if (options_.on_step) trace(plan, measured);
  scheduler_.step_done();
}

void StepLoop::trace(const StepPlan& plan, std::chrono::nanoseconds measured) const {
  StepTrace trace{.step = stats_.steps, .duration = measured};
  for (const PlannedSlice& slice : plan.slices) {
    const Session& session = *sessions_.at(slice.id);
    trace.rows.push_back({.id = session.id(),
                          .prompt_tokens = fresh_prompt_tokens(slice, session.prompt_tokens()),
                          .output_tokens = slice.samples ? 1 : 0,
                          .recomputed_tokens = slice.recomputed});
  }
  options_.on_step(trace);
}

/// Frees and publishes before any sink is called: who hears the last event finds the stats complete.
void StepLoop::deliver() {
  std::vector<std::string> ended;
  for (const Session* session : touched_) {
    if (!session->ended()) continue;
    ended.push_back(session->id());
    scheduler_.end(session->sequence());
    sequences_by_id_.erase(session->id());
  }
  stats_.sampled_tokens = sampler_.sampled();
  stats_.preemptions = scheduler_.preemptions();
  stats_.running = scheduler_.running();
  stats_.waiting = static_cast<int>(sessions_.size() - ended.size()) - stats_.running;
  stats_.kv_blocks_used = scheduler_.blocks_used();
  mailbox_.publish(stats_, scheduler_.waiting(), ended);

  for (Session* session : std::exchange(touched_, {})) {
    const bool last = session->ended();
    session->deliver();
    if (last) sessions_.erase(session->sequence());
  }
}

Session* StepLoop::find(const std::string& id) {
  const auto found = sequences_by_id_.find(id);
  return found == sequences_by_id_.end() ? nullptr : sessions_.at(found->second).get();
}

}  // namespace feilun::engine
