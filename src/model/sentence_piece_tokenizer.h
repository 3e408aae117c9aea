#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/bpe.h"
#include "model/tokenizer_segments.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {

/// SentencePiece's kind of BPE, the tokenizer of Llama 2 and llama2.c: no words, a space is the character ▁,
/// characters merge by score (or by rank, where the file lists merges), and what has no token becomes one
/// token per byte.
class SentencePieceTokenizer final : public Tokenizer {
 public:
  /// `spec` has one kind per token, and merges or one score per token.
  static Result<std::shared_ptr<const Tokenizer>> make(TokenizerSpec spec);

  std::vector<TokenId> encode(std::span<const PromptFragment> fragments) const override;
  std::string_view bytes(TokenId id) const override;
  std::string_view text(TokenId id) const override;
  bool is_control(TokenId id) const override;
  int vocabulary_size() const override { return static_cast<int>(texts_.size()); }
  TokenId bos() const override { return bos_; }
  bool strips_leading_space() const override { return dummy_prefix_; }

 private:
  explicit SentencePieceTokenizer(TokenizerSpec& spec);
  Result<> check_bytes() const;
  void read_merges(const TokenizerSpec& spec);
  void rank_scores(const std::vector<float>& scores);
  void encode_segment(std::string_view text, std::vector<TokenId>& out) const;
  void merge_by_rank(std::vector<BpeSymbol>& symbols) const;
  void merge_by_score(std::string_view text, std::vector<BpeSymbol>& symbols) const;
  /// False when `part` has neither a token nor byte tokens.
  bool append_symbol(std::string_view part, TokenId id, std::vector<TokenId>& out) const;

  std::vector<std::string> pieces_;  // as the file writes them, with ▁
  std::vector<std::string> texts_;   // what they decode to
  std::vector<TokenKind> kinds_;
  std::unordered_map<std::string_view, TokenId> by_piece_;  // normal tokens; keys point into pieces_
  size_t piece_bytes_max_ = 0;
  std::vector<uint32_t> rank_;  // by score, per token; empty when merges_ decides
  BpeMergeTable merges_;
  std::array<TokenId, 256> by_byte_;
  AddedTokens added_;
  TokenId unknown_ = -1;
  TokenId bos_ = -1;
  bool dummy_prefix_ = false;
};

}  // namespace feilun::model
