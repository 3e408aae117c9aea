#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace feilun::model {

using TokenId = int32_t;

/// A piece of a prompt. Control tokens (<|im_start|>, </s> …) are recognised only where the whole of their
/// text lies in trusted fragments: those the template wrote, never those that a message's content brought.
struct PromptFragment {
  std::string text;
  bool trusted = false;
};

/// Turns text into tokens and tokens into bytes. Immutable; any thread may call.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Tokens of the joined text. Fragment borders do not cut words: what lies between two control tokens is
  /// tokenised as one text. Any bytes are accepted; no byte sequence fails. Adds no BOS.
  ///
  /// A text of more than `most` tokens is left as soon as that is known: what comes back then is longer than
  /// `most`, and good for nothing else.
  virtual std::vector<TokenId> encode(std::span<const PromptFragment> fragments,
                                      size_t most = SIZE_MAX) const = 0;
  /// The same for one text of which nothing is trusted.
  std::vector<TokenId> encode(std::string_view text, size_t most = SIZE_MAX) const;

  /// `tokens` of a whole text between those that the model's files put around one: BERT's [CLS] and [SEP],
  /// an embedding model's end token. For texts that no chat template framed.
  virtual std::vector<TokenId> framed(std::vector<TokenId> tokens) const { return tokens; }

  /// The bytes a token stands for in the middle of a text; empty for control tokens. May be part of a code
  /// point. Valid as long as the tokenizer. `id` must be in [0, vocabulary_size()).
  virtual std::string_view bytes(TokenId id) const = 0;
  /// As `bytes`, but control tokens give their text ("<|im_end|>"): for inspection and logprobs.
  virtual std::string_view text(TokenId id) const = 0;
  virtual bool is_control(TokenId id) const = 0;
  virtual int vocabulary_size() const = 0;

  /// BOS to put before a prompt, or -1 when the model wants none.
  virtual TokenId bos() const = 0;
  /// True when the text of the very first token of an answer starts with a space that decoding removes
  /// (SentencePiece's dummy prefix).
  virtual bool strips_leading_space() const = 0;
};

}  // namespace feilun::model
