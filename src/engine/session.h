#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/sampler.h"
#include "engine/text_stream.h"
#include "scheduler/step_plan.h"

namespace feilun::engine {

using scheduler::SequenceId;

/// One live generation as the engine's thread sees it: its tokens, its text, its usage, when it ends, and
/// the event that the current step fills.
class Session {
 public:
  /// `generation` has passed the checks of submit(). `file` must outlive the session.
  Session(SequenceId sequence, Generation generation, EventSink sink, const model::ModelFile& file);

  SequenceId sequence() const { return sequence_; }
  const std::string& id() const { return generation_.id; }
  const Generation& generation() const { return generation_; }
  const TokenHistory& history() const { return history_; }
  TokenCount prompt_tokens() const { return static_cast<TokenCount>(generation_.prompt.size()); }
  std::span<const TokenId> tokens() const { return tokens_; }
  /// Where the token to be sampled next will stand.
  SamplePoint next_point() const;
  bool ended() const { return event_.finish.has_value(); }
  bool ended_by(FinishReason reason) const { return event_.finish == reason; }

  /// A sampled token: counted, turned into text, and checked for being the last one.
  void add_token(GeneratedToken token);
  void add_prompt(TokenCount computed, TokenCount cached, std::chrono::nanoseconds saved);
  void add_attributed(std::chrono::nanoseconds share, uint64_t cost_model);
  /// Takes back all that was attributed: it is nobody's.
  std::chrono::nanoseconds forgive() { return std::exchange(usage_.attributed, {}); }
  void add_kv_byte_seconds(double byte_seconds) { usage_.kv_byte_seconds += byte_seconds; }
  /// See Engine::allow.
  void allow(TokenCount total, bool final);
  /// Ends it, unless it has ended. Text that was held becomes readable.
  void end(FinishReason reason, Error error = {});

  /// Hands the event to the sink. The last one is the one after which ended() was true.
  void deliver();

 private:
  bool is_end(TokenId id) const;
  void end_when_money_ended();

  SequenceId sequence_;
  Generation generation_;
  EventSink sink_;
  const model::ModelFile& file_;
  std::vector<TokenId> tokens_;  ///< prompt, then output
  TokenHistory history_;
  TextStream text_;
  EngineUsage usage_;
  bool bound_is_final_ = false;
  GenerationEvent event_;
};

}  // namespace feilun::engine
