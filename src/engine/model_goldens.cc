#include "engine/model_goldens.h"

#include <cmath>

#include "base/json.h"
#include "model/mapped_file.h"

namespace feilun::engine {
namespace {

using simdjson::dom::element;

constexpr size_t kFileBytesMax = size_t{64} << 20;
constexpr size_t kTokensMax = 100'000;

template <typename T>
Result<T> member(element object, const char* key) {
  T value;
  if (object[key].get(value) == simdjson::SUCCESS) return value;
  return fail(ErrorCode::kCorrupt, "the goldens have no {} where one belongs", key);
}

Result<double> number(element object, const char* key) {
  const auto value = TRY(member<double>(object, key));
  if (std::isfinite(value)) return value;
  return fail(ErrorCode::kCorrupt, "{} is not a finite number", key);
}

Result<std::vector<model::TokenId>> ids(element object, const char* key, int vocabulary) {
  std::vector<model::TokenId> all;
  for (const auto entry : TRY(member<simdjson::dom::array>(object, key))) {
    int64_t id = 0;
    if (entry.get(id) != simdjson::SUCCESS || id < 0 || id >= vocabulary) {
      return fail(ErrorCode::kCorrupt, "{} holds what is no token of a vocabulary of {}", key, vocabulary);
    }
    all.push_back(static_cast<model::TokenId>(id));
  }
  return all;
}

/// Appends the logits of `key` to those of an answer, one for each of `expected` tokens.
Result<> append_logits(element object, const char* key, size_t expected, GoldenAnswer& answer) {
  const size_t before = answer.logits.size();
  for (const auto entry : TRY(member<simdjson::dom::array>(object, key))) {
    double logit = 0;
    if (entry.get(logit) != simdjson::SUCCESS || !std::isfinite(logit)) {
      return fail(ErrorCode::kCorrupt, "{} holds what is no number", key);
    }
    answer.logits.push_back(logit);
  }
  if (answer.logits.size() - before == expected) return {};
  return fail(ErrorCode::kCorrupt, "{} has {} numbers for {} tokens", key, answer.logits.size() - before,
              expected);
}

Result<GoldenAnswer> read_answer(element object, std::span<const model::TokenId> sampled, int vocabulary) {
  GoldenAnswer answer;
  answer.position = TRY(member<int64_t>(object, "position"));
  answer.largest = TRY(number(object, "largest"));
  answer.log_sum = TRY(number(object, "log_sum"));
  if (answer.largest <= 0) return fail(ErrorCode::kCorrupt, "the largest logit is {}", answer.largest);
  answer.ids = TRY(ids(object, "top_ids", vocabulary));
  TRY(append_logits(object, "top_logits", answer.ids.size(), answer));
  answer.ids.insert(answer.ids.end(), sampled.begin(), sampled.end());
  TRY(append_logits(object, "sampled_logits", sampled.size(), answer));
  return answer;
}

Result<GoldenText> read_text(element object, std::span<const model::TokenId> sampled, int vocabulary) {
  GoldenText text;
  text.tokens = TRY(ids(object, "tokens", vocabulary));
  text.prompt = TRY(member<int64_t>(object, "prompt"));
  const auto count = static_cast<int64_t>(text.tokens.size());
  if (text.tokens.size() > kTokensMax || text.prompt < 1 || text.prompt > count) {
    return fail(ErrorCode::kCorrupt, "a prompt of {} in a text of {} tokens", text.prompt, count);
  }
  int64_t last = text.prompt - 2;
  for (const auto entry : TRY(member<simdjson::dom::array>(object, "answers"))) {
    text.answers.push_back(TRY(read_answer(entry, sampled, vocabulary)));
    const int64_t position = text.answers.back().position;
    if (position <= last || position >= count) {
      return fail(ErrorCode::kCorrupt, "an answer at position {} is out of place", position);
    }
    last = position;
  }
  return text;
}

}  // namespace

Result<std::vector<GoldenText>> parse_goldens(std::string_view json, int vocabulary) {
  const JsonDocument document = TRY(JsonDocument::parse(json));
  const auto sampled = TRY(ids(document.root(), "sampled_ids", vocabulary));
  std::vector<GoldenText> texts;
  for (const auto entry : TRY(member<simdjson::dom::array>(document.root(), "prompts"))) {
    texts.push_back(TRY(read_text(entry, sampled, vocabulary)));
  }
  return texts;
}

Result<std::vector<GoldenText>> read_goldens(const std::filesystem::path& path, int vocabulary) {
  return parse_goldens(TRY(model::read_text_file(path, kFileBytesMax)), vocabulary);
}

}  // namespace feilun::engine
