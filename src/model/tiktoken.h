#pragma once

#include <string_view>

#include "base/result.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {

/// Reads a tiktoken rank file: on each line a token's bytes in Base64, a space, and its rank, which is its id
/// and the order in which pairs merge. The spec has tokens, and as merges every way in which two tokens make
/// a third; its words and added tokens are still to be said. kCorrupt with the line.
Result<TokenizerSpec> parse_tiktoken(std::string_view text);

}  // namespace feilun::model
