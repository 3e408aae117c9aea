#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/generation_parameters.h"

namespace feilun::gateway {

/// A checked body of POST /v1/chat/completions.
struct ChatRequest {
  GenerationParameters parameters;
  std::optional<TokenCount> max_tokens;
  int top_logprobs = -1;  ///< −1: no logprobs
  /// Role, content (always one string) and name of each message, as JSON for the chat template.
  std::string messages_json;
  std::string template_variables_json;  ///< chat_template_kwargs; empty when absent
};

/// kInvalidArgument or kUnsupported with the field's path as `param`. Any bytes may be given.
Result<ChatRequest> parse_chat_request(std::string_view body);

}  // namespace feilun::gateway
