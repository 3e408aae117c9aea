#include "gateway/completion_request.h"

namespace feilun::gateway {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using Tokens = std::vector<engine::TokenId>;

constexpr UnsupportedField kUnsupportedFields[] = {{"suffix", "\"\""}, {"echo", "false"}};

std::unexpected<Error> not_a_prompt(std::string path) {
  return std::unexpected(
      Error{ErrorCode::kInvalidArgument,
            fmt::format("'{}' must be a string, an array of strings, an array of token ids, or "
                        "an array of arrays of token ids, and not empty",
                        path),
            path});
}

Result<Tokens> read_tokens(array ids, const std::string& path) {
  Tokens tokens;
  tokens.reserve(ids.size());
  for (const element id : ids) {
    int64_t value = 0;
    if (id.get(value) != simdjson::SUCCESS) return not_a_prompt(path);
    if (value < 0 || value > INT32_MAX) {
      return std::unexpected(
          Error{ErrorCode::kInvalidArgument, fmt::format("{} is not a token id", value), path});
    }
    tokens.push_back(static_cast<engine::TokenId>(value));
  }
  if (tokens.empty()) return not_a_prompt(path);
  return tokens;
}

Result<> read_prompts(const RequestFields& fields, CompletionRequest& out) {
  const auto prompt = fields.find("prompt");
  if (!prompt) return not_a_prompt("prompt");
  std::string_view text;
  if (prompt->get(text) == simdjson::SUCCESS) {
    out.prompts.emplace_back(std::string(text));
    return {};
  }
  array items;
  if (prompt->get(items) != simdjson::SUCCESS || items.begin() == items.end()) return not_a_prompt("prompt");
  if (items.at(0).is_int64()) {
    out.prompts.emplace_back(TRY(read_tokens(items, "prompt")));
    return {};
  }
  for (const element item : items) {
    const std::string path = fmt::format("prompt[{}]", out.prompts.size());
    array ids;
    if (item.get(text) == simdjson::SUCCESS) {
      out.prompts.emplace_back(std::string(text));
    } else if (item.get(ids) == simdjson::SUCCESS) {
      out.prompts.emplace_back(TRY(read_tokens(ids, path)));
    } else {
      return not_a_prompt(path);
    }
    if (out.prompts.size() * static_cast<size_t>(out.parameters.n) > kPromptsMax) {
      return std::unexpected(fields.error(ErrorCode::kInvalidArgument, "prompt",
                                          fmt::format("at most {} prompts × n in one request", kPromptsMax)));
    }
  }
  return {};
}

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
  TRY(read_prompts(fields, out));
  return out;
}

}  // namespace feilun::gateway
