#include "gateway/text_or_tokens.h"

#include <algorithm>

namespace feilun::gateway {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using Tokens = std::vector<engine::TokenId>;

std::unexpected<Error> not_a_text(std::string path) {
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
    if (id.get(value) != simdjson::SUCCESS) return not_a_text(path);
    if (value < 0 || value > INT32_MAX) {
      return std::unexpected(
          Error{ErrorCode::kInvalidArgument, fmt::format("{} is not a token id", value), path});
    }
    tokens.push_back(static_cast<engine::TokenId>(value));
  }
  if (tokens.empty()) return not_a_text(path);
  return tokens;
}

Result<TextOrTokens> read_item(element item, const std::string& path) {
  std::string_view text;
  array ids;
  if (item.get(text) == simdjson::SUCCESS) return std::string(text);
  if (item.get(ids) == simdjson::SUCCESS) return TRY(read_tokens(ids, path));
  return not_a_text(path);
}

}  // namespace

Result<std::vector<TextOrTokens>> read_texts(const RequestFields& fields, std::string_view name, size_t most,
                                             std::string bound) {
  const std::string field(name);
  const auto value = fields.find(name);
  if (!value) return not_a_text(field);
  std::vector<TextOrTokens> texts;
  array items;
  const bool is_list = value->get(items) == simdjson::SUCCESS;
  if (is_list && items.begin() == items.end()) return not_a_text(field);
  if (!is_list || items.at(0).is_int64()) {
    texts.push_back(TRY(read_item(*value, field)));
    return texts;
  }
  for (const element item : items) {
    if (texts.size() == most) {
      return std::unexpected(fields.error(ErrorCode::kInvalidArgument, name, std::move(bound)));
    }
    texts.push_back(TRY(read_item(item, fmt::format("{}[{}]", name, texts.size()))));
  }
  return texts;
}

Result<> check_tokens(const Tokens& tokens, int vocabulary, std::string_view path) {
  const auto outside = std::ranges::find_if(tokens, [&](engine::TokenId id) { return id >= vocabulary; });
  if (outside == tokens.end()) return {};
  return std::unexpected(Error{
      ErrorCode::kInvalidArgument,
      fmt::format("token {} is not among this model's {} tokens", *outside, vocabulary), std::string(path)});
}

}  // namespace feilun::gateway
