#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/backend.h"
#include "engine/engine.h"
#include "engine/mailbox.h"
#include "engine/sampler.h"
#include "engine/session.h"
#include "engine/step_cost_fit.h"
#include "engine/time_account.h"
#include "scheduler/scheduler.h"

namespace feilun::engine {

/// Tokens that can be read and chosen. Weights are often padded with rows that stand for no token.
int vocabulary_of(const model::ModelFile& file, const Backend& backend);

/// What the engine's thread does, one step after the other. Everything here belongs to that one thread.
class StepLoop {
 public:
  /// All references must outlive the loop.
  StepLoop(const model::ModelFile& file, Backend& backend, const EngineOptions& options, Mailbox& mailbox);

  /// Takes in what other threads asked for, in order.
  void apply(std::vector<Command> commands);
  /// One forward pass, from plan to delivered events. False when there was nothing to compute.
  bool step();
  /// Ends every generation with kCancelled, and CHECKs that no block is lost.
  void cancel_all();

 private:
  void apply_one(SubmitCommand command);
  void apply_one(const AllowCommand& command);
  void apply_one(const CancelCommand& command);

  std::span<const float> forward(const scheduler::StepPlan& plan);
  void sample(const scheduler::StepPlan& plan, std::span<const float> logits);
  void sample_slice(const scheduler::PlannedSlice& slice, std::span<const float> logits);
  void settle_up(const scheduler::StepPlan& plan);
  void count_prompt(const scheduler::PlannedSlice& slice, Session& session);
  void attribute(const scheduler::StepPlan& plan, std::chrono::nanoseconds measured);
  void trace(const scheduler::StepPlan& plan, std::chrono::nanoseconds measured) const;
  void charge_for_memory();
  void deliver();
  void publish(std::span<const std::string> ended);

  Session& session_of(SequenceId sequence) { return *sessions_.at(sequence); }
  Session* find(const std::string& id);

  const model::ModelFile& file_;
  Backend& backend_;
  const EngineOptions& options_;
  Mailbox& mailbox_;
  const SystemClock clock_;
  scheduler::Scheduler scheduler_;
  StepCostFit step_cost_;
  TimeAccount time_;
  Sampler sampler_;
  std::unordered_map<SequenceId, std::unique_ptr<Session>> sessions_;
  std::unordered_map<std::string, SequenceId> sequences_by_id_;
  SequenceId next_sequence_ = 0;
  std::vector<Session*> touched_;      ///< have an event to deliver, in order
  std::vector<SequenceSlice> slices_;  ///< scratch of forward()
  std::vector<TokenId> rows_;          ///< the tokens of the slices
  std::vector<TokenId> sampled_;       ///< in this step
  std::vector<int> sampled_of_slice_;  ///< how many of these are whose
  MonoTime memory_charged_until_;
  EngineStats stats_;
};

}  // namespace feilun::engine
