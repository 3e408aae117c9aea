#include "gateway/completion_request.h"

namespace feilun::gateway {
namespace {

constexpr UnsupportedField kUnsupportedFields[] = {{"suffix", "\"\""}, {"echo", "false"}};

}  // namespace

Result<CompletionRequest> parse_completion_request(std::string_view body) {
  const JsonDocument document = TRY(JsonDocument::parse(body));
  const RequestFields fields = TRY(RequestFields::of(document.root(), {}, "the request"));
  CompletionRequest out;
  out.parameters = TRY(read_parameters(fields));
  TRY(refuse_unsupported(fields, kUnsupportedFields));
  const auto best_of = TRY(fields.integer("best_of", 1, 20));
  if (best_of && *best_of != out.parameters.n) {
    return std::unexpected(
        fields.error(ErrorCode::kUnsupported, "best_of", "'best_of' is only supported equal to 'n'"));
  }
  out.max_tokens = TRY(fields.integer("max_tokens", 1, INT32_MAX)).value_or(out.max_tokens);
  out.top_logprobs = static_cast<int>(TRY(fields.integer("logprobs", 0, kLegacyLogprobsMax)).value_or(-1));
  out.prompts = TRY(read_texts(fields, "prompt", kPromptsMax / static_cast<size_t>(out.parameters.n),
                               fmt::format("at most {} prompts × n in one request", kPromptsMax)));
  return out;
}

}  // namespace feilun::gateway
