#include "gateway/metered_sequence.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace feilun::gateway {

std::vector<MeteredSequence> sequences_of(const std::string& request_id,
                                          std::vector<engine::Generation> generations,
                                          std::span<const int> prompt_of) {
  std::vector<MeteredSequence> all;
  for (engine::Generation& generation : generations) {
    MeteredSequence sequence;
    sequence.id = fmt::format("{}/{}", request_id, all.size());
    sequence.prompt_tokens = static_cast<TokenCount>(generation.prompt.size());
    sequence.max_tokens = generation.max_tokens;
    sequence.prompt = prompt_of[all.size()];
    sequence.generation = std::move(generation);
    all.push_back(std::move(sequence));
  }
  return all;
}

bool all_finished(std::span<const MeteredSequence> all) {
  return std::ranges::all_of(all, [](const MeteredSequence& s) { return s.finish.has_value(); });
}

bool any_ended(std::span<const MeteredSequence> all, engine::FinishReason reason) {
  return std::ranges::any_of(all, [&](const MeteredSequence& s) { return s.finish == reason; });
}

TokenCount prompt_tokens(std::span<const MeteredSequence> all) {
  std::map<int, TokenCount> prompts;
  for (const MeteredSequence& each : all) prompts.emplace(each.prompt, each.prompt_tokens);
  TokenCount sum = 0;
  for (const auto& [prompt, tokens] : prompts) sum += tokens;
  return sum;
}

int prompts_done(std::span<const MeteredSequence> all) {
  return static_cast<int>(std::ranges::count_if(
      all, [](const MeteredSequence& s) { return s.submitted && s.prompt_done() >= s.prompt_tokens; }));
}

TokenCount output(std::span<const MeteredSequence> all) {
  TokenCount sum = 0;
  for (const MeteredSequence& each : all) sum += each.usage.output;
  return sum;
}

TokenCount wanted_output(std::span<const MeteredSequence> all) {
  TokenCount sum = 0;
  for (const MeteredSequence& each : all) sum += each.finish ? each.usage.output : each.max_tokens;
  return sum;
}

pricing::TokenUsage usage(std::span<const MeteredSequence> all) {
  std::map<int, const MeteredSequence*> furthest;
  for (const MeteredSequence& each : all) {
    const MeteredSequence*& best = furthest.try_emplace(each.prompt, &each).first->second;
    if (each.prompt_done() > best->prompt_done()) best = &each;
  }
  pricing::TokenUsage usage{.output = output(all)};
  for (const auto& [prompt, sequence] : furthest) {
    usage.input_fresh += sequence->usage.prompt_computed;
    usage.cache_read += sequence->usage.prompt_cached;
  }
  return usage;
}

}  // namespace feilun::gateway
