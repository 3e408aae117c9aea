#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/tokenizer_encoder.h"
#include "model/tokenizer_pieces.h"

// What SentencePiece's two kinds of encoder, BPE and unigram, share: ▁ for a space, tokens named after bytes.

namespace feilun::model {

inline constexpr std::string_view kSpaceMark = "\xe2\x96\x81";  // ▁

/// "▁the" → " the".
std::string without_space_marks(std::string_view piece);

/// The byte that "<0x0A>" names, or -1.
int named_byte(std::string_view piece);

/// The tokens that stand for one byte each.
class ByteTokens {
 public:
  explicit ByteTokens(const TokenizerPieces& pieces);
  bool has_all(std::string_view bytes) const;
  bool has_every_byte() const { return std::ranges::find(by_byte_, -1) == by_byte_.end(); }
  TokenId token(char byte) const { return by_byte_[static_cast<unsigned char>(byte)]; }

 private:
  std::array<TokenId, 256> by_byte_;
};

/// Every normal token that is not empty.
PieceTable piece_table(const TokenizerPieces& pieces);

/// kCorrupt when a byte token names no byte.
Result<> check_byte_tokens(const TokenizerPieces& pieces);
/// kCorrupt when there is not one number per token.
Result<> check_scores(const TokenizerSpec& spec, const TokenizerPieces& pieces);

/// True when ▁ is a token and no token has one after anything but another ▁: then no merge crosses the place
/// before a word's ▁, and a text may be cut there.
bool words_begin_with_marks(const TokenizerPieces& pieces);

}  // namespace feilun::model
