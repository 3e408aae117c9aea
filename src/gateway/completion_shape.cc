#include "gateway/json_text.h"
#include "gateway/reply_parts.h"
#include "gateway/reply_shape.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using engine::FinishReason;
using engine::GeneratedToken;

int64_t code_points(std::string_view text) {
  int64_t count = 0;
  for (const char c : text) count += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  return count;
}

class CompletionShape final : public ReplyShape {
 public:
  CompletionShape(ReplyHead head, const Deployment& deployment)
      : head_(std::move(head)), deployment_(deployment) {
    prefix_ = json::serialize(head_object());
    prefix_.pop_back();
    prefix_ += ",\"choices\":[";
  }

  void append_delta(std::string& out, int choice, std::string_view text,
                    const std::vector<GeneratedToken>& tokens) override {
    const bool explain = head_.top_logprobs >= 0 && !tokens.empty();
    if (text.empty() && !explain) return;
    append_chunk(out, choice, text, explain ? json::serialize(logprobs(tokens, offset(choice))) : "null",
                 "null", nullptr);
  }

  void append_finish(std::string& out, int choice, FinishReason reason, const Ending* ending) override {
    append_chunk(out, choice, {}, "null", fmt::format("\"{}\"", finish_reason_name(reason)), ending);
  }

  void append_usage(std::string& out, const Ending& ending) override {
    append_usage_event(out, prefix_, ending);
  }

  std::string whole(const std::vector<ChoiceText>& choices, const Ending& ending) override {
    json::array list;
    for (const ChoiceText& choice : choices) {
      int64_t from = 0;
      list.push_back(
          json::object{{"text", valid_utf8(choice.text)},
                       {"index", list.size()},
                       {"logprobs", head_.top_logprobs >= 0 ? json::value(logprobs(choice.tokens, from))
                                                            : json::value(nullptr)},
                       {"finish_reason", finish_reason_name(choice.finish)}});
    }
    return whole_reply(head_object(), std::move(list), ending);
  }

 private:
  json::object head_object() const {
    return {{"id", head_.id},
            {"object", "text_completion"},
            {"created", head_.created},
            {"model", head_.model},
            {"system_fingerprint", head_.fingerprint}};
  }

  void append_chunk(std::string& out, int choice, std::string_view text, std::string_view explained,
                    std::string_view finish, const Ending* ending) const {
    std::string chunk = prefix_ + "{\"text\":";
    append_json_string(chunk, text);
    chunk += fmt::format(",\"index\":{},\"logprobs\":{},\"finish_reason\":{}}}]", choice, explained, finish);
    append_chunk_event(out, std::move(chunk), head_.include_usage, ending);
  }

  int64_t& offset(int choice) {
    if (offsets_.size() <= static_cast<size_t>(choice)) offsets_.resize(static_cast<size_t>(choice) + 1);
    return offsets_[static_cast<size_t>(choice)];
  }

  /// The legacy form: parallel arrays; `from` is where the first token's text starts, in characters.
  json::object logprobs(const std::vector<GeneratedToken>& tokens, int64_t& from) const {
    json::array texts, chosen, best, offsets;
    for (const GeneratedToken& token : tokens) {
      std::string text = token_text(deployment_, token.id);
      // A code point may be spread over several tokens: it counts once, and all of them start where it does.
      const std::string_view bytes = deployment_.token_bytes(token.id);
      const bool continues = from > 0 && !bytes.empty() && (static_cast<uint8_t>(bytes[0]) & 0xC0) == 0x80;
      offsets.push_back(continues ? from - 1 : from);
      from += code_points(bytes);
      json::object top;
      for (const auto& other : token.top)
        top[token_text(deployment_, other.id)] = json_logprob(other.logprob);
      best.push_back(std::move(top));
      chosen.push_back(json_logprob(token.logprob));
      texts.push_back(json::value(std::move(text)));
    }
    return {{"tokens", std::move(texts)},
            {"token_logprobs", std::move(chosen)},
            {"top_logprobs", std::move(best)},
            {"text_offset", std::move(offsets)}};
  }

  ReplyHead head_;
  const Deployment& deployment_;
  std::string prefix_;
  std::vector<int64_t> offsets_;
};

}  // namespace

std::unique_ptr<ReplyShape> make_completion_shape(ReplyHead head, const Deployment& deployment) {
  return std::make_unique<CompletionShape>(std::move(head), deployment);
}

}  // namespace feilun::gateway
