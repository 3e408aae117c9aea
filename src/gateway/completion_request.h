#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "gateway/generation_parameters.h"
#include "gateway/text_or_tokens.h"

namespace feilun::gateway {

constexpr size_t kPromptsMax = 128;  ///< prompts × n of one request
constexpr int kLegacyLogprobsMax = 5;

/// A checked body of POST /v1/completions. A prompt is text or tokens.
struct CompletionRequest {
  GenerationParameters parameters;
  TokenCount max_tokens = 16;  ///< this endpoint's own default
  int top_logprobs = -1;       ///< −1: no logprobs
  std::vector<TextOrTokens> prompts;
};

/// kInvalidArgument or kUnsupported with the field's path as `param`. Any bytes may be given.
Result<CompletionRequest> parse_completion_request(std::string_view body);

}  // namespace feilun::gateway
