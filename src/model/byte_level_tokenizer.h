#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/bpe.h"
#include "model/pretokenizer.h"
#include "model/tokenizer_segments.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {

/// Byte-level BPE, the tokenizer of GPT-2, Qwen and Llama 3: text is cut into words, a word's bytes merge by
/// rank. In the files a token's bytes are written in a printable alphabet of 256 characters.
class ByteLevelTokenizer final : public Tokenizer {
 public:
  /// `spec` has one kind per token and is of the byte-level family.
  static Result<std::shared_ptr<const Tokenizer>> make(TokenizerSpec spec);

  std::vector<TokenId> encode(std::span<const PromptFragment> fragments) const override;
  std::string_view bytes(TokenId id) const override;
  std::string_view text(TokenId id) const override;
  bool is_control(TokenId id) const override;
  int vocabulary_size() const override { return static_cast<int>(texts_.size()); }
  TokenId bos() const override { return bos_; }
  bool strips_leading_space() const override { return false; }

 private:
  ByteLevelTokenizer(TokenizerSpec& spec, std::unique_ptr<PreTokenizer> words);
  Result<> read_merges(const TokenizerSpec& spec);
  void encode_word(std::string_view word, std::vector<BpeSymbol>& symbols, std::vector<TokenId>& out) const;

  std::unique_ptr<PreTokenizer> words_;
  std::vector<std::string> texts_;  // as bytes
  std::vector<TokenKind> kinds_;
  std::unordered_map<std::string_view, TokenId> by_text_;  // normal tokens; keys point into texts_
  std::array<TokenId, 256> by_byte_;
  BpeMergeTable merges_;
  AddedTokens added_;
  TokenId unknown_ = -1;
  TokenId bos_ = -1;
};

/// A token's bytes written in GPT-2's alphabet ("Ġthe" for " the") and back. Characters outside the alphabet
/// stay as they are.
std::string to_printable_bytes(std::string_view bytes);
std::string from_printable_bytes(std::string_view text);

}  // namespace feilun::model
