#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {

/// A tokenizer's last step: one word becomes tokens. Immutable; any thread may call.
class WordEncoder {
 public:
  virtual ~WordEncoder() = default;
  /// Appends the word's tokens. Any bytes are accepted.
  virtual void encode(std::string_view word, std::vector<TokenId>& out) const = 0;
  /// True only for a word of more than `most` tokens, where that is known at less cost than its tokens.
  virtual bool exceeds(std::string_view word, size_t most) const = 0;
};

/// What every encoder looks its pieces up in: `spec.tokens`, moved here, as the encoder compares them.
/// `texts` are what they decode to.
struct TokenizerPieces {
  std::vector<std::string> pieces;
  std::vector<std::string> texts;  ///< empty: the pieces themselves
  std::vector<TokenKind> kinds;
};

using MadeEncoder = Result<std::unique_ptr<const WordEncoder>>;

// Each takes the spec whose tokens are already in `pieces`, which outlives the encoder.
MadeEncoder make_byte_level_bpe(const TokenizerSpec& spec, const TokenizerPieces& pieces);
MadeEncoder make_sentence_piece_bpe(const TokenizerSpec& spec, const TokenizerPieces& pieces);
MadeEncoder make_unigram(const TokenizerSpec& spec, const TokenizerPieces& pieces);
MadeEncoder make_word_piece(const TokenizerSpec& spec, const TokenizerPieces& pieces);

}  // namespace feilun::model
