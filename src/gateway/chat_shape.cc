#include "gateway/json_text.h"
#include "gateway/reply_parts.h"
#include "gateway/reply_shape.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using engine::FinishReason;
using engine::GeneratedToken;

class ChatShape final : public ReplyShape {
 public:
  ChatShape(ReplyHead head, const Deployment& deployment) : head_(std::move(head)), deployment_(deployment) {
    json::object common = head_object("chat.completion.chunk");
    // The part that every chunk shares, without its closing brace.
    prefix_ = json::serialize(common);
    prefix_.pop_back();
    prefix_ += ",\"choices\":[";
  }

  void append_delta(std::string& out, int choice, std::string_view text,
                    const std::vector<GeneratedToken>& tokens) override {
    const bool explain = head_.top_logprobs >= 0 && !tokens.empty();
    if (text.empty() && !explain) return;
    open_choice(out, choice);
    std::string delta = "{\"content\":";
    append_json_string(delta, text);
    append_chunk(out, choice, delta + "}", explain ? json::serialize(logprobs(tokens)) : "null", "null",
                 nullptr);
  }

  void append_finish(std::string& out, int choice, FinishReason reason, const Ending* ending) override {
    open_choice(out, choice);
    append_chunk(out, choice, "{}", "null", fmt::format("\"{}\"", finish_reason_name(reason)), ending);
  }

  void append_usage(std::string& out, const Ending& ending) override {
    append_usage_event(out, prefix_, ending);
  }

  std::string whole(const std::vector<ChoiceText>& choices, const Ending& ending) override {
    json::array list;
    for (const ChoiceText& choice : choices) {
      list.push_back(json::object{
          {"index", list.size()},
          {"message",
           json::object{{"role", "assistant"}, {"content", valid_utf8(choice.text)}, {"refusal", nullptr}}},
          {"logprobs", head_.top_logprobs >= 0 ? json::value(logprobs(choice.tokens)) : json::value(nullptr)},
          {"finish_reason", finish_reason_name(choice.finish)}});
    }
    return whole_reply(head_object("chat.completion"), std::move(list), ending);
  }

 private:
  json::object head_object(std::string_view kind) const {
    return {{"id", head_.id},
            {"object", kind},
            {"created", head_.created},
            {"model", head_.model},
            {"service_tier", head_.service_tier},
            {"system_fingerprint", head_.fingerprint}};
  }

  /// The first chunk of a choice names the role.
  void open_choice(std::string& out, int choice) {
    if (opened_.size() <= static_cast<size_t>(choice)) opened_.resize(static_cast<size_t>(choice) + 1);
    if (opened_[static_cast<size_t>(choice)]) return;
    opened_[static_cast<size_t>(choice)] = true;
    append_chunk(out, choice, R"({"role":"assistant","content":"","refusal":null})", "null", "null", nullptr);
  }

  void append_chunk(std::string& out, int choice, std::string_view delta, std::string_view explained,
                    std::string_view finish, const Ending* ending) const {
    append_chunk_event(out,
                       fmt::format("{}{{\"index\":{},\"delta\":{},\"logprobs\":{},\"finish_reason\":{}}}]",
                                   prefix_, choice, delta, explained, finish),
                       head_.include_usage, ending);
  }

  json::object token_json(engine::TokenId id, float logprob) const {
    json::array bytes;
    for (const char byte : deployment_.token_bytes(id)) bytes.push_back(static_cast<uint8_t>(byte));
    return {{"token", token_text(deployment_, id)},
            {"logprob", json_logprob(logprob)},
            {"bytes", std::move(bytes)}};
  }

  json::object logprobs(const std::vector<GeneratedToken>& tokens) const {
    json::array content;
    for (const GeneratedToken& token : tokens) {
      json::object item = token_json(token.id, token.logprob);
      json::array top;
      for (const auto& other : token.top) top.push_back(token_json(other.id, other.logprob));
      item["top_logprobs"] = std::move(top);
      content.push_back(std::move(item));
    }
    return {{"content", std::move(content)}, {"refusal", nullptr}};
  }

  ReplyHead head_;
  const Deployment& deployment_;
  std::string prefix_;
  std::vector<bool> opened_;
};

}  // namespace

std::unique_ptr<ReplyShape> make_chat_shape(ReplyHead head, const Deployment& deployment) {
  return std::make_unique<ChatShape>(std::move(head), deployment);
}

}  // namespace feilun::gateway
