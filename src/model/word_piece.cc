#include <algorithm>

#include "model/tokenizer_encoder.h"
#include "model/tokenizer_pieces.h"
#include "model/tokenizer_unicode.h"

namespace feilun::model {
namespace {

constexpr std::string_view kInside = "##";

/// BERT's encoder: the longest piece that the word starts with, then the longest that goes on, and so forth.
/// A word with a part that has no piece is unknown as a whole, and so is a very long one, which bounds the
/// work.
class WordPiece final : public WordEncoder {
 public:
  WordPiece(const TokenizerSpec& spec, const TokenizerPieces& pieces)
      : table_(pieces.pieces, pieces.pieces.size()), unknown_(spec.unknown), runes_max_(spec.word_runes_max) {
    for (size_t i = 0; i < pieces.pieces.size(); ++i) {
      if (pieces.kinds[i] == TokenKind::kNormal && !pieces.pieces[i].empty())
        table_.insert(static_cast<TokenId>(i));
    }
  }

  void encode(std::string_view word, std::vector<TokenId>& out) const override {
    const size_t before = out.size();
    if (is_long(word) || !append_pieces(word, out)) {
      out.resize(before);
      if (unknown_ >= 0) out.push_back(unknown_);
    }
  }

  /// A very long word is one token.
  bool exceeds(std::string_view, size_t) const override { return false; }

 private:
  bool is_long(std::string_view word) const {
    size_t runes = 0;
    for (const char c : word) runes += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return runes > runes_max_ || word.size() > 4 * runes_max_;
  }

  bool append_pieces(std::string_view word, std::vector<TokenId>& out) const {
    std::string part;
    for (size_t begin = 0; begin < word.size();) {
      TokenId found = -1;
      size_t end = std::min(word.size(), begin + table_.bytes_max());
      for (; end > begin; end -= last_rune_bytes(word.substr(begin, end - begin))) {
        part = begin > 0 ? kInside : std::string_view();
        part += word.substr(begin, end - begin);
        found = table_.find(part);
        if (found >= 0) break;
      }
      if (found < 0) return false;
      out.push_back(found);
      begin = end;
    }
    return true;
  }

  static size_t last_rune_bytes(std::string_view text) {
    size_t size = 1;
    while (size < text.size() && size < 4 &&
           (static_cast<unsigned char>(text[text.size() - size]) & 0xc0) == 0x80) {
      ++size;
    }
    return size;
  }

  PieceTable table_;
  TokenId unknown_;
  size_t runes_max_;
};

}  // namespace

MadeEncoder make_word_piece(const TokenizerSpec& spec, const TokenizerPieces& pieces) {
  if (spec.unknown < 0) return fail(ErrorCode::kCorrupt, "the tokenizer has no token for unknown words");
  return std::make_unique<WordPiece>(spec, pieces);
}

}  // namespace feilun::model
