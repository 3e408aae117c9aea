#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/tokenizer.h"

namespace feilun::model {

/// What a token is for. The values are GGUF's.
enum class TokenKind : uint8_t {
  kNormal = 1,
  kUnknown = 2,      ///< stands for text that has no token
  kControl = 3,      ///< <|im_end|>: recognised only in trusted text, decodes to nothing
  kUserDefined = 4,  ///< <think>: a whole wherever it stands, decodes to its text
  kUnused = 5,
  kByte = 6,  ///< <0x0A>: one byte
};

/// What a model's files say about its tokenizer, whichever files they are.
struct TokenizerSpec {
  enum class Family {
    kSentencePiece,  ///< pieces of text with ▁ for a space, byte tokens for the rest
    kByteLevel,      ///< pieces of bytes, written in GPT-2's printable alphabet
  };
  Family family = Family::kByteLevel;
  std::string pre;                  ///< GGUF's name of the pre-tokenizer; kByteLevel alone
  std::vector<std::string> tokens;  ///< normal tokens in the family's writing, added ones as they read
  std::vector<TokenKind> kinds;     ///< one per token
  std::vector<float> scores;        ///< one per token where merges are chosen by score, else empty
  std::vector<std::pair<std::string, std::string>> merges;  ///< best first; used when not empty
  TokenId bos = -1;
  TokenId eos = -1;
  TokenId unknown = -1;
  TokenId padding = -1;
  bool add_bos = false;
  bool dummy_prefix = false;  ///< kSentencePiece: a space is put before the text
};

/// Builds the tokenizer; `vocabulary` is the number of rows of the model's embedding: ids that no token
/// has are filled with unused ones. kCorrupt or kUnsupported with the reason.
Result<std::shared_ptr<const Tokenizer>> make_tokenizer(TokenizerSpec spec, int vocabulary);

/// "left right" as merges are written; nullopt-like empty pair when there is no space inside.
std::pair<std::string, std::string> split_merge(std::string_view line);

}  // namespace feilun::model
