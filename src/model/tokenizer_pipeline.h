#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/pretokenizer.h"
#include "model/tokenizer_encoder.h"
#include "model/tokenizer_normaliser.h"
#include "model/tokenizer_segments.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {

/// Every tokenizer: added tokens are found in the text, what lies between them is normalised and cut into
/// words, and each word goes through the family's encoder.
class TokenizerPipeline final : public Tokenizer {
 public:
  /// `spec` has one kind per token.
  static Result<std::shared_ptr<const Tokenizer>> make(TokenizerSpec spec);

  std::vector<TokenId> encode(std::span<const PromptFragment> fragments, size_t most) const override;
  std::vector<TokenId> framed(std::vector<TokenId> tokens) const override;
  std::string_view bytes(TokenId id) const override;
  std::string_view text(TokenId id) const override;
  bool is_control(TokenId id) const override;
  int vocabulary_size() const override { return static_cast<int>(pieces_.kinds.size()); }
  TokenId bos() const override { return bos_; }
  bool strips_leading_space() const override { return strips_leading_space_; }

 private:
  TokenizerPipeline() = default;
  void take_pieces(TokenizerSpec& spec);
  void find_added(const TokenizerSpec& spec);
  Result<> choose_words(TokenizerSpec& spec);
  /// Until `out` holds more than `most`.
  void encode_segment(const PromptSegment& segment, bool at_start, size_t most,
                      std::vector<TokenId>& out) const;
  void encode_words(std::string_view text, bool at_start, size_t most, std::vector<TokenId>& out) const;

  TokenizerPieces pieces_;
  AddedTokens added_;             // found in the text as it comes
  AddedTokens normalised_added_;  // found in the normalised text; none of them asks for trust
  TextNormaliser normaliser_;
  PreTokenizer words_;
  std::unique_ptr<const WordEncoder> encoder_;
  std::vector<TokenId> frame_begin_;
  std::vector<TokenId> frame_end_;
  TokenId bos_ = -1;
  bool strips_leading_space_ = false;
  uint32_t number_ = 0;  // which tokenizer this is, among all of the process
};

}  // namespace feilun::model
