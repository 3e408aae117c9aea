#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace feilun::model {

/// How a family of models cuts text into words: one or more patterns; each cuts the pieces that the one
/// before it left, and what a pattern does not match is a piece too.
struct WordFamily {
  std::string_view name;  ///< GGUF's tokenizer.ggml.pre
  std::vector<std::string_view> patterns;
  bool nfc = false;          ///< text is brought into Unicode's form NFC first
  bool whole_words = false;  ///< a word that is a token is that token, whatever the merges say
  bool adds_bos = false;     ///< BOS comes before a text where the GGUF does not say
};

/// By GGUF's name, or one of its other names. kUnsupported for one that is not in the table.
Result<const WordFamily*> find_word_family(std::string_view name);

/// GGUF's name of the family with exactly these patterns and habits; empty when there is none.
std::string_view word_family_name(std::span<const std::string> patterns, bool nfc, bool whole_words);

/// A pattern that takes linear time on any text and finds what `pattern` finds; empty when the table has
/// none.
std::string_view linear_pattern(std::string_view pattern);

/// GPT-2's pattern, which tokenizer.json's ByteLevel applies by itself.
std::string_view gpt2_word_pattern();

// What tokenizer.json's other pre-tokenizers look for.
inline constexpr std::string_view kSpacesPattern = R"(\s+)";
inline constexpr std::string_view kWordsPattern = R"(\w+|[^\w\s]+)";
inline constexpr std::string_view kDigitPattern = R"(\p{N})";
inline constexpr std::string_view kDigitsPattern = R"(\p{N}+)";
inline constexpr std::string_view kPunctuationPattern = R"([\p{P}$+<=>^`|~])";

}  // namespace feilun::model
