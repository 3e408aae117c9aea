#pragma once

#include <string_view>

#include "model/hugging_face_json.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {

/// How many elements a list or an object has; its own size() stops counting at 2^24.
size_t element_count(const auto& elements) {
  size_t count = 0;
  for ([[maybe_unused]] const auto element : elements) ++count;
  return count;
}

/// Puts a token in its place. kCorrupt for an id far outside a vocabulary of `count`.
Result<> set_token(TokenizerSpec& spec, size_t count, int64_t id, std::string_view text, TokenKind kind);

/// An added token of tokenizer.json's or tokenizer_config.json's list. `count` is the vocabulary's size and
/// the list's together, taken before the first: a size that each token raised would bound nothing.
Result<> set_added_token(TokenizerSpec& spec, size_t count, int64_t id, const HuggingFaceObject& token);

/// {"token": id, …} as normal tokens.
Result<> read_vocabulary(simdjson::dom::element element, TokenizerSpec& spec);

/// Merges are "left right" or, in newer files, ["left", "right"].
Result<> read_merges(simdjson::dom::element element, TokenizerSpec& spec);

/// The token of this text stands for what has none.
void set_unknown(TokenizerSpec& spec, std::string_view text);

}  // namespace feilun::model
