#include <algorithm>
#include <limits>

#include "model/sentence_piece.h"
#include "model/tokenizer_encoder.h"
#include "model/tokenizer_pieces.h"
#include "model/tokenizer_unicode.h"

namespace feilun::model {
namespace {

/// Worse than any piece's by so much is the score of a character that no piece has.
constexpr double kUnknownPenalty = 10.0;

/// SentencePiece's unigram encoder, of T5 and XLM-RoBERTa: of all ways to write a word in pieces the one
/// whose scores sum highest, found from left to right (Viterbi). The pieces that start at a place are a walk
/// through the sorted pieces, each byte narrowing the range of those that still fit.
class Unigram final : public WordEncoder {
 public:
  Unigram(const TokenizerSpec& spec, const TokenizerPieces& pieces)
      : pieces_(pieces.pieces),
        reach_(pieces.pieces),
        bytes_(pieces),
        scores_(spec.scores),
        unknown_(spec.unknown),
        fuses_unknown_(spec.fuses_unknown) {
    double worst = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (pieces.kinds[i] == TokenKind::kUnused) continue;
      worst = std::min(worst, static_cast<double>(scores_[i]));
      if (pieces.kinds[i] == TokenKind::kNormal && !pieces_[i].empty())
        sorted_.push_back(static_cast<TokenId>(i));
    }
    unknown_score_ = worst - kUnknownPenalty;
    std::ranges::sort(sorted_, {},
                      [&](TokenId id) -> const std::string& { return pieces_[static_cast<size_t>(id)]; });
    size_t at = 0;
    for (size_t byte = 0; byte <= 256; ++byte) {
      while (at < sorted_.size() && static_cast<unsigned char>(piece(at)[0]) < byte) ++at;
      starts_[byte] = static_cast<uint32_t>(at);
    }
  }

  void encode(std::string_view word, std::vector<TokenId>& out) const override {
    std::vector<Node> nodes(word.size() + 1);
    nodes[0].score = 0;
    for (size_t at = 0; at < word.size();) {
      const size_t size = std::max<size_t>(1, code_point_bytes(word.substr(at)));
      bool has_character = false;
      for_each_piece(word, at, [&](TokenId id, size_t bytes) {
        offer(nodes, at, at + bytes, id, static_cast<double>(scores_[static_cast<size_t>(id)]));
        has_character = has_character || bytes == size;
      });
      if (!has_character) offer(nodes, at, at + size, -1, unknown_score_);
      at += size;
    }
    append_best(word, nodes, out);
  }

  bool exceeds(std::string_view word, size_t most) const override {
    return bytes_.has_every_byte() && reach_.exceeds(word, most);
  }

 private:
  /// The best way to write the word up to here.
  struct Node {
    double score = -std::numeric_limits<double>::infinity();
    size_t begin = ~size_t{0};
    TokenId id = -1;
  };

  const std::string& piece(size_t place) const { return pieces_[static_cast<size_t>(sorted_[place])]; }

  static void offer(std::vector<Node>& nodes, size_t begin, size_t end, TokenId id, double score) {
    const double sum = nodes[begin].score + score;
    if (nodes[end].begin == ~size_t{0} || sum > nodes[end].score) nodes[end] = {sum, begin, id};
  }

  template <typename Found>
  void for_each_piece(std::string_view word, size_t at, Found found) const {
    const auto first = static_cast<unsigned char>(word[at]);
    size_t low = starts_[first];
    size_t high = starts_[first + 1];
    for (size_t depth = 1; low < high; ++depth) {
      if (piece(low).size() == depth) found(sorted_[low++], depth);
      if (low == high || at + depth == word.size()) return;
      const auto wanted = static_cast<unsigned char>(word[at + depth]);
      const auto byte = [&](TokenId id) {
        return static_cast<unsigned char>(pieces_[static_cast<size_t>(id)][depth]);
      };
      // Copies of one piece would end here; only the first counts.
      while (low < high && piece(low).size() == depth) ++low;
      const auto range =
          std::ranges::equal_range(sorted_.begin() + static_cast<ptrdiff_t>(low),
                                   sorted_.begin() + static_cast<ptrdiff_t>(high), wanted, {}, byte);
      low = static_cast<size_t>(range.begin() - sorted_.begin());
      high = static_cast<size_t>(range.end() - sorted_.begin());
    }
  }

  void append_best(std::string_view word, const std::vector<Node>& nodes, std::vector<TokenId>& out) const {
    std::vector<size_t> ends;
    for (size_t end = word.size(); end > 0; end = nodes[end].begin) ends.push_back(end);
    for (size_t i = ends.size(); i > 0; --i) {
      const size_t begin = nodes[ends[i - 1]].begin;
      if (const TokenId id = nodes[ends[i - 1]].id; id >= 0) {
        out.push_back(id);
        continue;
      }
      while (fuses_unknown_ && i > 1 && nodes[ends[i - 2]].id < 0) --i;
      append_unknown(word.substr(begin, ends[i - 1] - begin), out);
    }
  }

  void append_unknown(std::string_view part, std::vector<TokenId>& out) const {
    if (bytes_.has_all(part)) {
      for (const char c : part) out.push_back(bytes_.token(c));
    } else if (unknown_ >= 0) {
      out.push_back(unknown_);
    }
  }

  const std::vector<std::string>& pieces_;
  PieceReach reach_;
  ByteTokens bytes_;
  std::vector<float> scores_;
  std::vector<TokenId> sorted_;
  uint32_t starts_[257] = {};  // the first of sorted_ that begins with this byte or a later one
  double unknown_score_ = 0;
  TokenId unknown_;
  bool fuses_unknown_;
};

}  // namespace

MadeEncoder make_unigram(const TokenizerSpec& spec, const TokenizerPieces& pieces) {
  TRY(check_scores(spec, pieces));
  TRY(check_byte_tokens(pieces));
  return std::make_unique<Unigram>(spec, pieces);
}

}  // namespace feilun::model
