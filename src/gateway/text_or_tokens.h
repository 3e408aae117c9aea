#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/engine.h"
#include "gateway/request_fields.h"

namespace feilun::gateway {

using TextOrTokens = std::variant<std::string, std::vector<engine::TokenId>>;

/// The field `name`: a string, an array of strings, an array of token ids, or an array of such arrays. At
/// least one text; no array is empty, though a string may be. More than `most` of them are refused with
/// `bound` as the message.
Result<std::vector<TextOrTokens>> read_texts(const RequestFields& fields, std::string_view name, size_t most,
                                             std::string bound);

/// kInvalidArgument, with `path` as its param, for a token that is not below `vocabulary`.
Result<> check_tokens(const std::vector<engine::TokenId>& tokens, int vocabulary, std::string_view path);

}  // namespace feilun::gateway
