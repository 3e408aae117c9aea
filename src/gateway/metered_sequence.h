#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "pricing/price.h"

namespace feilun::gateway {

/// One of a request's generations, and what it has come to.
struct MeteredSequence {
  engine::Generation generation;  ///< moved out at submission
  std::string id;
  TokenCount prompt_tokens = 0;
  TokenCount max_tokens = 0;
  int prompt = 0;  ///< those with the same number share a prompt, which is counted once
  bool submitted = false;
  bool final_sent = false;
  TokenCount delivered = 0;  ///< output that the client's socket took
  engine::EngineUsage usage;
  std::optional<engine::FinishReason> finish;

  bool is_running() const { return submitted && !finish; }
  TokenCount prompt_done() const { return usage.prompt_computed + usage.prompt_cached; }
};

/// Those of a request, before the first is submitted; `prompt_of`: for each generation.
std::vector<MeteredSequence> sequences_of(const std::string& request_id,
                                          std::vector<engine::Generation> generations,
                                          std::span<const int> prompt_of);

// What all of them come to.

bool all_finished(std::span<const MeteredSequence> all);
bool any_ended(std::span<const MeteredSequence> all, engine::FinishReason reason);
/// Tokens of all prompts.
TokenCount prompt_tokens(std::span<const MeteredSequence> all);
/// How many sequences have gone through their prompts.
int prompts_done(std::span<const MeteredSequence> all);
TokenCount output(std::span<const MeteredSequence> all);
/// The most it can still become.
TokenCount wanted_output(std::span<const MeteredSequence> all);
/// Output of every sequence; input once a prompt, from the sequence that got furthest with it.
pricing::TokenUsage usage(std::span<const MeteredSequence> all);

}  // namespace feilun::gateway
