#include "gateway/chat_request.h"

#include <boost/json.hpp>

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using simdjson::dom::element;

constexpr UnsupportedField kUnsupportedFields[] = {{"best_of", "1"}};

constexpr UnsupportedField kUnsupportedInMessage[] = {
    {"tool_calls", "[]"}, {"tool_call_id", ""}, {"function_call", ""}, {"audio", ""}};

/// The text of one content part; only text parts are served.
Result<std::string_view> part_text(element part, std::string path) {
  const RequestFields fields = TRY(RequestFields::of(part, path, "a content part"));
  const auto type = TRY(fields.string("type"));
  if (!type) return fields.wrong_type("type", "a string");
  if (*type != "text" && *type != "refusal") {
    return std::unexpected(
        Error{ErrorCode::kUnsupported,
              fmt::format("content parts of type '{}' are not supported by this server", *type),
              fields.path_of("type")});
  }
  const auto text = TRY(fields.string(*type));
  if (!text) return fields.wrong_type(*type, "a string");
  return *text;
}

/// A string, or an array of text parts whose texts are joined.
Result<std::string> read_content(const RequestFields& message) {
  const auto content = message.find("content");
  if (!content) return message.wrong_type("content", "a string or an array of parts");
  std::string_view text;
  if (content->get(text) == simdjson::SUCCESS) return std::string(text);
  simdjson::dom::array parts;
  if (content->get(parts) != simdjson::SUCCESS) {
    return message.wrong_type("content", "a string or an array of parts");
  }
  std::string joined;
  size_t index = 0;
  for (const element part : parts) {
    joined += TRY(part_text(part, fmt::format("{}[{}]", message.path_of("content"), index++)));
  }
  if (index == 0) {
    return std::unexpected(
        message.error(ErrorCode::kInvalidArgument, "content", "an array of content parts must not be empty"));
  }
  return joined;
}

/// "developer" is the newer name of "system"; templates know the older.
Result<std::string_view> read_role(const RequestFields& message) {
  const auto role = TRY(message.string("role"));
  if (!role) return message.wrong_type("role", "a string");
  if (*role == "developer") return "system";
  if (*role == "system" || *role == "user" || *role == "assistant") return *role;
  const bool known = *role == "tool" || *role == "function";
  return std::unexpected(
      message.error(known ? ErrorCode::kUnsupported : ErrorCode::kInvalidArgument, "role",
                    known ? fmt::format("messages of role '{}' are not supported by this server", *role)
                          : std::string("a message's role must be system, developer, user or assistant")));
}

Result<std::string> read_messages(const RequestFields& fields) {
  const auto value = fields.find("messages");
  simdjson::dom::array messages;
  if (!value || value->get(messages) != simdjson::SUCCESS) return fields.wrong_type("messages", "an array");
  json::array out;
  for (const element item : messages) {
    const RequestFields message =
        TRY(RequestFields::of(item, fmt::format("messages[{}]", out.size()), "a message"));
    TRY(refuse_unsupported(message, kUnsupportedInMessage));
    json::object copy;
    copy["role"] = TRY(read_role(message));
    copy["content"] = TRY(read_content(message));
    if (const auto name = TRY(message.string("name"))) copy["name"] = *name;
    out.push_back(std::move(copy));
  }
  if (out.empty()) {
    return std::unexpected(
        fields.error(ErrorCode::kInvalidArgument, "messages", "'messages' must hold at least one message"));
  }
  return json::serialize(out);
}

/// As JSON; empty when absent. A template's standing variables are the server's: through them a request could
/// put other messages, or control tokens, into the prompt than were checked.
Result<std::string> read_template_variables(const RequestFields& fields) {
  const auto variables = TRY(fields.object("chat_template_kwargs"));
  if (!variables) return std::string();
  for (const auto field : *variables) {
    for (const std::string_view own :
         {"messages", "add_generation_prompt", "tools", "bos_token", "eos_token"}) {
      if (field.key != own) continue;
      return std::unexpected(
          fields.error(ErrorCode::kInvalidArgument, fmt::format("chat_template_kwargs.{}", own),
                       fmt::format("the template variable '{}' is set by the server", own)));
    }
  }
  return std::string(simdjson::minify(*variables));
}

Result<int> read_logprobs(const RequestFields& fields) {
  const bool wanted = TRY(fields.boolean("logprobs")).value_or(false);
  const auto top = TRY(fields.integer("top_logprobs", 0, kTopLogprobsMax));
  if (top && !wanted) {
    return std::unexpected(fields.error(ErrorCode::kInvalidArgument, "top_logprobs",
                                        "'top_logprobs' is only allowed together with 'logprobs': true"));
  }
  return wanted ? static_cast<int>(top.value_or(0)) : -1;
}

}  // namespace

Result<ChatRequest> parse_chat_request(std::string_view body) {
  const JsonDocument document = TRY(JsonDocument::parse(body));
  const RequestFields fields = TRY(RequestFields::of(document.root(), {}, "the request"));
  ChatRequest out;
  out.parameters = TRY(read_parameters(fields));
  TRY(refuse_unsupported(fields, kUnsupportedFields));
  const auto old_name = TRY(fields.integer("max_tokens", 1, INT32_MAX));
  const auto new_name = TRY(fields.integer("max_completion_tokens", 1, INT32_MAX));
  out.max_tokens = new_name ? new_name : old_name;
  out.top_logprobs = TRY(read_logprobs(fields));
  out.messages_json = TRY(read_messages(fields));
  out.template_variables_json = TRY(read_template_variables(fields));
  return out;
}

}  // namespace feilun::gateway
