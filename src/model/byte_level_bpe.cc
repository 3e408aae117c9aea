#include <algorithm>
#include <array>

#include "model/bpe.h"
#include "model/byte_level_alphabet.h"
#include "model/tokenizer_encoder.h"
#include "model/tokenizer_pieces.h"

namespace feilun::model {
namespace {

/// Byte-level BPE, the encoder of GPT-2, Qwen and Llama 3: a word's bytes merge by rank.
class ByteLevelBpe final : public WordEncoder {
 public:
  ByteLevelBpe(const TokenizerSpec& spec, const TokenizerPieces& pieces)
      : table_(pieces.pieces, pieces.pieces.size()),
        reach_(pieces.pieces),
        merges_(spec.merges.size()),
        unknown_(spec.unknown),
        whole_words_(spec.whole_words) {
    by_byte_.fill(-1);
    for (size_t i = 0; i < pieces.pieces.size(); ++i) {
      const std::string& piece = pieces.pieces[i];
      if (pieces.kinds[i] != TokenKind::kNormal || piece.empty()) continue;
      const auto id = static_cast<TokenId>(i);
      table_.insert(id);
      if (piece.size() == 1) by_byte_[static_cast<unsigned char>(piece[0])] = id;
    }
    every_byte_counts_ = unknown_ >= 0 || std::ranges::find(by_byte_, -1) == by_byte_.end();
  }

  Result<> read_merges(const TokenizerSpec& spec) {
    for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
      const std::string left = from_printable_bytes(spec.merges[rank].first);
      const std::string right = from_printable_bytes(spec.merges[rank].second);
      if (left.empty() || right.empty()) return fail(ErrorCode::kCorrupt, "merge {} has an empty side", rank);
      const TokenId a = table_.find(left);
      const TokenId b = table_.find(right);
      const TokenId merged = table_.find(left + right);
      // Some makers list merges whose result they have removed from the vocabulary; those never apply.
      if (a < 0 || b < 0 || merged < 0) continue;
      const auto order = spec.ranks_are_ids ? static_cast<uint32_t>(merged) : static_cast<uint32_t>(rank);
      merges_.insert(a, b, {order, merged});
    }
    return {};
  }

  void encode(std::string_view word, std::vector<TokenId>& out) const override {
    if (whole_words_) {
      if (const TokenId whole = table_.find(word); whole >= 0) return out.push_back(whole);
    }
    static thread_local std::vector<BpeSymbol> symbols;
    symbols.clear();
    for (size_t i = 0; i < word.size(); ++i) {
      symbols.push_back({by_byte_[static_cast<unsigned char>(word[i])], static_cast<uint32_t>(i), 1});
    }
    merge_symbols(symbols, [this](const BpeSymbol& left, const BpeSymbol& right) {
      return left.id < 0 || right.id < 0 ? nullptr : merges_.find(left.id, right.id);
    });
    for (const BpeSymbol& symbol : symbols) {
      const TokenId id = symbol.id >= 0 ? symbol.id : unknown_;
      if (id >= 0) out.push_back(id);
    }
    release_large(symbols);
  }

  bool exceeds(std::string_view word, size_t most) const override {
    return every_byte_counts_ && reach_.exceeds(word, most);
  }

 private:
  PieceTable table_;
  PieceReach reach_;
  std::array<TokenId, 256> by_byte_;
  BpeMergeTable merges_;
  TokenId unknown_;
  bool whole_words_;
  bool every_byte_counts_ = false;
};

}  // namespace

MadeEncoder make_byte_level_bpe(const TokenizerSpec& spec, const TokenizerPieces& pieces) {
  auto encoder = std::make_unique<ByteLevelBpe>(spec, pieces);
  TRY(encoder->read_merges(spec));
  return encoder;
}

}  // namespace feilun::model
