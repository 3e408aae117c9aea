#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/tokenizer.h"

// A tokenizer is four steps, as tokenizer.json has them: added tokens are found, the text between them is
// normalised, cut into words, and each word becomes tokens. The spec says what each step does, whichever
// files said it first.

namespace feilun::model {

/// What a token is for. The values are GGUF's.
enum class TokenKind : uint8_t {
  kNormal = 1,
  kUnknown = 2,      ///< stands for text that has no token
  kControl = 3,      ///< <|im_end|>: recognised only in trusted text, decodes to nothing
  kUserDefined = 4,  ///< <think>: a whole wherever it stands (where it looks like a control token, in
                     ///< trusted text alone), decodes to its text
  kUnused = 5,
  kByte = 6,  ///< <0x0A>: one byte
};

/// How an added token is found beyond its text.
struct AddedTokenRule {
  bool takes_space_before = false;
  bool takes_space_after = false;
  bool whole_word = false;  ///< not beside a letter, mark, digit or connector
  bool normalised = false;  ///< its normalised text is looked for in the normalised text
};

struct NormaliserStep {
  enum class Kind {
    kNfc,
    kNfd,
    kNfkc,
    kNfkd,
    kLowercase,
    kDropMarks,            ///< code points of the categories M
    kDropNonspacingMarks,  ///< those of the category Mn
    kCleanText,            ///< BERT's: control characters go, white space becomes a space
    kSpaceIdeographs,      ///< BERT's: a space on each side of a Chinese character
    kPrepend,              ///< `to` before a text that is not empty
    kReplaceText,          ///< each `from` becomes `to`
    kReplacePattern,       ///< each match of the pattern `from` becomes `to`
    kStripStart,           ///< white space
    kStripEnd,
  };
  Kind kind = Kind::kNfc;
  std::string from = {};
  std::string to = {};
};

struct WordStep {
  enum class Kind {
    kPattern,      ///< cuts around what the pattern `text` matches
    kText,         ///< cuts around each `text`
    kPrefixSpace,  ///< a space before every piece that starts with none
    kSpaceMarks,   ///< SentencePiece's: spaces become ▁, one is put before, words start at each
    kMarkRuns,     ///< cuts where ▁ follows something else
  };
  enum class Matches { kApart, kJoined, kDropped, kKept, kWithPrevious, kWithNext };
  enum class Prefix { kAlways, kFirst, kNever };
  Kind kind = Kind::kPattern;
  std::string text = {};
  Matches matches = Matches::kApart;  ///< kKept: what is between them is dropped; kJoined: neighbours are one
  Prefix prefix = Prefix::kAlways;    ///< kSpaceMarks
  bool cuts = true;                   ///< kSpaceMarks
};

/// What a model's files say about its tokenizer, whichever files they are.
struct TokenizerSpec {
  enum class Family {
    kSentencePiece,  ///< BPE on pieces of text with ▁ for a space, byte tokens for the rest
    kByteLevel,      ///< BPE on pieces of bytes, written in GPT-2's printable alphabet
    kUnigram,        ///< pieces of text by the best sum of scores
    kWordPiece,      ///< the longest piece first, "##" before those inside a word
  };
  Family family = Family::kByteLevel;
  std::string pre;  ///< GGUF's name of the pre-tokenizer; kByteLevel alone; empty: `words` says it all
  std::vector<NormaliserStep> normaliser;
  std::vector<WordStep> words;      ///< none: the text is one word
  std::vector<std::string> tokens;  ///< normal tokens in the family's writing, added ones as they read
  std::vector<TokenKind> kinds;     ///< one per token
  std::vector<float> scores;        ///< one per token where they decide, else empty
  std::vector<std::pair<std::string, std::string>> merges;  ///< best first; used when not empty
  std::map<TokenId, AddedTokenRule> added_rules;            ///< of tokens that have any
  TokenId bos = -1;
  TokenId eos = -1;
  TokenId unknown = -1;
  TokenId padding = -1;
  std::vector<TokenId> frame_begin;  ///< put before and after a whole text that no template framed
  std::vector<TokenId> frame_end;
  bool add_bos = false;
  bool steps_are_complete = false;  ///< `normaliser` and `words` say it all, `pre` and `dummy_prefix` nothing
  bool dummy_prefix = false;        ///< kSentencePiece, kUnigram: a space is put before the text
  bool strips_leading_space = false;  ///< decoding does
  bool whole_words = false;           ///< BPE: a word that is a token is that token, whatever the merges say
  bool fuses_unknown = true;          ///< a run of unknown characters is one unknown token
  bool ranks_are_ids = false;   ///< BPE: a merge's rank is its result's id, whatever its place in `merges`
  size_t word_runes_max = 100;  ///< kWordPiece: longer words are unknown
};

/// The first token of this text; -1 when there is none, or no text.
TokenId find_token(const TokenizerSpec& spec, std::string_view text);

/// Builds the tokenizer; `vocabulary` is the number of rows of the model's embedding: ids that no token
/// has are filled with unused ones. kCorrupt or kUnsupported with the reason.
Result<std::shared_ptr<const Tokenizer>> make_tokenizer(TokenizerSpec spec, int vocabulary);

/// kUnsupported when a GGUF has no words for what the tokenizer does, so that one written with it would
/// tokenise otherwise.
Result<> check_fits_gguf(const TokenizerSpec& spec);

/// "left right" as merges are written; nullopt-like empty pair when there is no space inside.
std::pair<std::string, std::string> split_merge(std::string_view line);

}  // namespace feilun::model
