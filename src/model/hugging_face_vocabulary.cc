#include "model/hugging_face_vocabulary.h"

namespace feilun::model {

using Element = simdjson::dom::element;

Result<> set_token(TokenizerSpec& spec, size_t count, int64_t id, std::string_view text, TokenKind kind) {
  // Ids may leave gaps, but a small file must not ask for a huge table.
  if (id < 0 || static_cast<uint64_t>(id) > 2 * count + 4096) {
    return fail(ErrorCode::kCorrupt, "the token \"{}\" has the id {}, far outside the vocabulary of {}", text,
                id, count);
  }
  const auto place = static_cast<size_t>(id);
  if (place >= spec.tokens.size()) {
    spec.tokens.resize(place + 1);
    spec.kinds.resize(place + 1, TokenKind::kUnused);
  }
  spec.tokens[place] = text;
  spec.kinds[place] = kind;
  return {};
}

Result<> read_vocabulary(Element element, TokenizerSpec& spec) {
  simdjson::dom::object vocabulary;
  if (element.get(vocabulary) != simdjson::SUCCESS) {
    return fail(ErrorCode::kCorrupt, "the tokenizer's vocabulary is not an object");
  }
  const size_t count = element_count(vocabulary);
  for (const auto [text, value] : vocabulary) {
    int64_t id = -1;
    if (value.get(id) != simdjson::SUCCESS) id = -1;
    TRY(set_token(spec, count, id, text, TokenKind::kNormal));
  }
  return {};
}

Result<> read_merges(Element element, TokenizerSpec& spec) {
  simdjson::dom::array merges;
  if (element.get(merges) != simdjson::SUCCESS) return fail(ErrorCode::kCorrupt, "the merges are not a list");
  for (const Element merge : merges) {
    std::string_view line;
    std::string_view left;
    std::string_view right;
    if (merge.get(line) == simdjson::SUCCESS) {
      spec.merges.push_back(split_merge(line));
    } else if (merge.at(0).get(left) == simdjson::SUCCESS && merge.at(1).get(right) == simdjson::SUCCESS) {
      spec.merges.emplace_back(left, right);
    }
    const size_t rank = spec.merges.size();
    if (rank == 0 || spec.merges.back().first.empty() || spec.merges.back().second.empty()) {
      return fail(ErrorCode::kCorrupt, "merge {} is not two tokens", rank);
    }
  }
  return {};
}

Result<> set_added_token(TokenizerSpec& spec, size_t count, int64_t id, const HuggingFaceObject& token) {
  const auto content = TRY(token.string("content"));
  if (!content) return fail(ErrorCode::kCorrupt, "the added token {} has no content", id);
  const bool special = TRY(token.boolean("special")).value_or(false);
  const TokenKind kind = special ? TokenKind::kControl : TokenKind::kUserDefined;
  TRY(set_token(spec, count, id, *content, kind));
  AddedTokenRule rule;
  rule.takes_space_before = TRY(token.boolean("lstrip")).value_or(false);
  rule.takes_space_after = TRY(token.boolean("rstrip")).value_or(false);
  rule.whole_word = TRY(token.boolean("single_word")).value_or(false);
  rule.normalised = TRY(token.boolean("normalized")).value_or(!special);
  spec.added_rules[static_cast<TokenId>(id)] = rule;
  return {};
}

void set_unknown(TokenizerSpec& spec, std::string_view text) {
  spec.unknown = find_token(spec, text);
  if (spec.unknown >= 0) spec.kinds[static_cast<size_t>(spec.unknown)] = TokenKind::kUnknown;
}

}  // namespace feilun::model
