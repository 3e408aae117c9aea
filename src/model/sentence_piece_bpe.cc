#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "model/bpe.h"
#include "model/sentence_piece.h"
#include "model/tokenizer_encoder.h"
#include "model/tokenizer_pieces.h"
#include "model/tokenizer_unicode.h"

namespace feilun::model {
namespace {

/// SentencePiece's kind of BPE, the encoder of Llama 2 and llama2.c: characters merge, by rank where the file
/// lists merges and else by score, and what has no token becomes one token per byte.
class SentencePieceBpe final : public WordEncoder {
 public:
  SentencePieceBpe(const TokenizerSpec& spec, const TokenizerPieces& pieces)
      : table_(piece_table(pieces)),
        reach_(pieces.pieces),
        bytes_(pieces),
        merges_(spec.merges.size()),
        unknown_(spec.unknown),
        whole_words_(spec.whole_words),
        fuses_unknown_(spec.fuses_unknown) {}

  void read_merges(const TokenizerSpec& spec) {
    for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
      const auto& [left, right] = spec.merges[rank];
      const TokenId a = table_.find(left);
      const TokenId b = table_.find(right);
      const TokenId merged = table_.find(left + right);
      if (a >= 0 && b >= 0 && merged >= 0) merges_.insert(a, b, {static_cast<uint32_t>(rank), merged});
    }
  }

  void rank_scores(const std::vector<float>& scores) {
    std::vector<uint32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::sort(order, [&](uint32_t a, uint32_t b) { return scores[a] > scores[b]; });
    rank_.resize(scores.size());
    uint32_t rank = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      // Equal scores share a rank: between them the leftmost pair merges first.
      if (i > 0 && scores[order[i]] != scores[order[i - 1]]) ++rank;
      rank_[order[i]] = rank;
    }
  }

  void encode(std::string_view word, std::vector<TokenId>& out) const override {
    if (whole_words_) {
      if (const TokenId whole = table_.find(word); whole >= 0) return out.push_back(whole);
    }
    static thread_local std::vector<BpeSymbol> symbols;
    symbols.clear();
    if (rank_.empty()) {
      encode_by_rank(word, symbols, out);
    } else {
      encode_by_score(word, symbols, out);
    }
    release_large(symbols);
  }

  bool exceeds(std::string_view word, size_t most) const override {
    return bytes_.has_every_byte() && reach_.exceeds(word, most);
  }

 private:
  /// Characters without a token are settled before merging: as bytes, or as unknown, which comes where the
  /// next known character or the end is.
  void encode_by_rank(std::string_view word, std::vector<BpeSymbol>& symbols,
                      std::vector<TokenId>& out) const {
    bool pending = false;
    const auto settle = [&](size_t at) {
      if (pending) symbols.push_back({unknown_, static_cast<uint32_t>(at), 1});
      pending = false;
    };
    for (size_t at = 0; at < word.size();) {
      const size_t size = std::max<size_t>(1, code_point_bytes(word.substr(at)));
      const std::string_view character = word.substr(at, size);
      if (const TokenId id = table_.find(character); id >= 0) {
        settle(at);
        symbols.push_back({id, static_cast<uint32_t>(at), static_cast<uint32_t>(size)});
      } else if (bytes_.has_all(character)) {
        for (const char c : character) symbols.push_back({bytes_.token(c), static_cast<uint32_t>(at), 1});
      } else if (unknown_ >= 0) {
        if (!fuses_unknown_) settle(at);
        pending = true;
      }
      at += size;
    }
    settle(word.size());
    merge_symbols(symbols, [this](const BpeSymbol& left, const BpeSymbol& right) {
      return merges_.find(left.id, right.id);
    });
    for (const BpeSymbol& symbol : symbols) out.push_back(symbol.id);
  }

  /// Neighbours merge when their text together is a piece, whether or not each is one.
  void encode_by_score(std::string_view word, std::vector<BpeSymbol>& symbols,
                       std::vector<TokenId>& out) const {
    for (size_t at = 0; at < word.size();) {
      const size_t size = std::max<size_t>(1, code_point_bytes(word.substr(at)));
      symbols.push_back(
          {table_.find(word.substr(at, size)), static_cast<uint32_t>(at), static_cast<uint32_t>(size)});
      at += size;
    }
    BpeMerge merge;
    merge_symbols(symbols, [&](const BpeSymbol& left, const BpeSymbol& right) -> const BpeMerge* {
      const TokenId found = table_.find(word.substr(left.begin, left.size + right.size));
      if (found < 0) return nullptr;
      merge = {rank_[static_cast<size_t>(found)], found};
      return &merge;
    });
    bool was_unknown = false;
    for (const BpeSymbol& symbol : symbols) {
      const std::string_view part = word.substr(symbol.begin, symbol.size);
      const bool known = symbol.id >= 0 || bytes_.has_all(part);
      if (symbol.id >= 0) {
        out.push_back(symbol.id);
      } else if (known) {
        for (const char c : part) out.push_back(bytes_.token(c));
      } else if (unknown_ >= 0 && !(was_unknown && fuses_unknown_)) {
        out.push_back(unknown_);
      }
      was_unknown = !known;
    }
  }

  PieceTable table_;
  PieceReach reach_;
  ByteTokens bytes_;
  std::vector<uint32_t> rank_;  // by score, per token; empty when merges_ decides
  BpeMergeTable merges_;
  TokenId unknown_;
  bool whole_words_;
  bool fuses_unknown_;
};

}  // namespace

MadeEncoder make_sentence_piece_bpe(const TokenizerSpec& spec, const TokenizerPieces& pieces) {
  if (spec.merges.empty()) TRY(check_scores(spec, pieces));
  TRY(check_byte_tokens(pieces));
  auto encoder = std::make_unique<SentencePieceBpe>(spec, pieces);
  if (spec.merges.empty()) {
    encoder->rank_scores(spec.scores);
  } else {
    encoder->read_merges(spec);
  }
  return encoder;
}

}  // namespace feilun::model
