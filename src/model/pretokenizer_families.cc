#include "model/pretokenizer_families.h"

#include <algorithm>
#include <array>
#include <utility>

// The patterns stand here as the makers write them in tokenizer.json, so that a file's pattern is recognised
// by its text.

namespace feilun::model {
namespace {

constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kO200k =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kKimi =
    R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kDeepseek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDeepseek3Ideographs = R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)";
/// Letters that have a case, as Unicode 11 knew them.
constexpr std::string_view kDeepseekLetters =
    R"(\s?[)"
    R"(A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293})"
    R"(\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a})"
    R"(\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556})"
    R"(\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf})"
    R"(\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d})"
    R"(\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d})"
    R"(\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc})"
    R"(\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc})"
    R"(\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128})"
    R"(\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183})"
    R"(\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d})"
    R"(\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf})"
    R"(\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f})"
    R"(\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2})"
    R"(\x{118a0}-\x{118df}\x{1e900}-\x{1e943})"
    R"(]+)";
constexpr std::string_view kDeepseekMarks =
    R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)";
/// White space at the end, begun where it begins: from each of its characters it would be found in vain.
constexpr std::string_view kSpacesAtEnd = R"((?<!\s)\s+$)";
constexpr std::string_view kDeepseekIdeographs = R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)";
constexpr std::string_view kLineEnd = R"([\r\n])";
constexpr std::string_view kThreeDigits = R"(\p{N}{1,3})";
constexpr std::string_view kFalconMarks = R"([\p{P}\$\+<=>\^~\|`]+)";
constexpr std::string_view kThreeAsciiDigits = R"([0-9][0-9][0-9])";

const std::vector<WordFamily>& families() {
  static const std::vector<WordFamily> table = {
      {"gpt-2", {kGpt2}},
      {"qwen2", {kQwen2}, true},
      {"qwen35", {kQwen35}, true},
      {"stablelm2", {kQwen2}},
      {"llama-bpe", {kLlama3}, false, true, true},
      {"glm4", {kLlama3}},
      {"smollm", {kDigitPattern, kGpt2}},
      {"tekken", {kTekken}, false, true, true},
      {"gpt-4o", {kO200k}},
      {"kimi-k2", {kKimi}},
      {"bailingmoe", {kBailing}},
      {"deepseek-v3", {kThreeDigits, kDeepseek3Ideographs, kDeepseek3}},
      {"deepseek-llm",
       {kLineEnd, kDeepseekLetters, kDeepseekMarks, kSpacesAtEnd, kDeepseekIdeographs, kDigitPattern}},
      {"deepseek-coder", {kLineEnd, R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepseekIdeographs, kDigitPattern}},
      {"falcon", {kFalconMarks, kGpt2, kThreeAsciiDigits}},
  };
  return table;
}

using Alias = std::pair<std::string_view, std::string_view>;
/// Other names of the same cutting.
constexpr std::array kAliases = {
    Alias{"phi-2", "gpt-2"},
    Alias{"mpt", "gpt-2"},
    Alias{"olmo", "gpt-2"},
    Alias{"jais", "gpt-2"},
    Alias{"jina-v1-en", "gpt-2"},
    Alias{"jina-v2-code", "gpt-2"},
    Alias{"jina-es", "gpt-2"},
    Alias{"jina-de", "gpt-2"},
    Alias{"jina-v2-es", "gpt-2"},
    Alias{"jina-v2-de", "gpt-2"},
    Alias{"roberta-bpe", "gpt-2"},
    Alias{"modern-bert", "gpt-2"},
    Alias{"exaone4", "gpt-2"},
    Alias{"deepseek-r1-qwen", "qwen2"},
    Alias{"qwen3", "qwen2"},
    Alias{"megrez", "stablelm2"},
    Alias{"hunyuan", "stablelm2"},
    Alias{"llama3", "llama-bpe"},
    Alias{"llama-v3", "llama-bpe"},
    Alias{"falcon3", "llama-bpe"},
    Alias{"falcon-h1", "llama-bpe"},
    Alias{"pixtral", "llama-bpe"},
    Alias{"lfm2", "llama-bpe"},
    Alias{"smaug-bpe", "glm4"},
    Alias{"dbrx", "glm4"},
    Alias{"chatglm-bpe", "glm4"},
    Alias{"starcoder", "smollm"},
    Alias{"refact", "smollm"},
    Alias{"command-r", "smollm"},
    Alias{"codeshell", "smollm"},
    Alias{"exaone", "smollm"},
    Alias{"minerva-7b", "smollm"},
    Alias{"llama4", "gpt-4o"},
    Alias{"hunyuan-dense", "deepseek-v3"},
    Alias{"bailingmoe2", "bailingmoe"},
    Alias{"llada-moe", "bailingmoe"},
};

}  // namespace

Result<const WordFamily*> find_word_family(std::string_view name) {
  const auto alias = std::ranges::find(kAliases, name, &Alias::first);
  const std::string_view wanted = alias == kAliases.end() ? name : alias->second;
  const auto family = std::ranges::find(families(), wanted, &WordFamily::name);
  if (family != families().end()) return &*family;
  return fail(ErrorCode::kUnsupported,
              "the tokenizer cuts words the \"{}\" way, which this version does not know", name);
}

std::string_view word_family_name(std::span<const std::string> patterns, bool nfc, bool whole_words) {
  for (const WordFamily& family : families()) {
    if (family.nfc == nfc && family.whole_words == whole_words &&
        std::ranges::equal(family.patterns, patterns)) {
      return family.name;
    }
  }
  return {};
}

std::string_view linear_pattern(std::string_view pattern) {
  if (pattern == R"(\s+$)") return kSpacesAtEnd;
  for (const std::string_view plain :
       {kSpacesPattern, kWordsPattern, kDigitPattern, kDigitsPattern, kPunctuationPattern}) {
    if (pattern == plain) return plain;
  }
  for (const WordFamily& family : families()) {
    const auto found = std::ranges::find(family.patterns, pattern);
    if (found != family.patterns.end()) return *found;
  }
  return {};
}

std::string_view gpt2_word_pattern() {
  return kGpt2;
}

}  // namespace feilun::model
