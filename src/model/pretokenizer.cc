#include "model/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "model/tokenizer_unicode.h"

// A family's pre-tokenizer is one or more regular expressions; each cuts the pieces that the one before it
// left, and what a pattern does not match is a piece too. The patterns stand here as the makers write them
// in tokenizer.json, so that a file can be recognised by its text; before compiling, \s and \S are replaced
// by Unicode's White_Space, which PCRE2's own \s exceeds by U+180E.

namespace feilun::model {
namespace {

constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDigit = R"(\p{N})";

struct Family {
  std::string_view name;
  std::vector<std::string_view> patterns;
  bool nfc = false;
  bool whole_words = false;
};

const std::vector<Family>& families() {
  static const std::vector<Family> table = {
      {"gpt-2", {kGpt2}},
      {"qwen2", {kQwen2}, true},
      {"llama-bpe", {kLlama3}, false, true},
      {"smollm", {kDigit, kGpt2}},
  };
  return table;
}

/// White space as Unicode has it, for use inside a bracket.
constexpr std::string_view kSpaces =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

std::string with_unicode_spaces(std::string_view pattern) {
  std::string out;
  bool in_bracket = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const char next = c == '\\' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (next == 's' || next == 'S') {
      CHECK(!(in_bracket && next == 'S'));
      const std::string_view open = next == 'S' ? "[^" : "[";
      out += in_bracket ? std::string(kSpaces) : std::string(open) + std::string(kSpaces) + "]";
      ++i;
    } else if (next != '\0') {
      out += {c, next};
      ++i;
    } else {
      if (c == '[' || c == ']') in_bracket = c == '[';
      out += c;
    }
  }
  return out;
}

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};
using Pattern = std::unique_ptr<pcre2_code, FreeCode>;
using Match = std::unique_ptr<pcre2_match_data, FreeMatch>;
using Word = std::function<void(std::string_view)>;

class PatternPreTokenizer final : public PreTokenizer {
 public:
  explicit PatternPreTokenizer(const Family& family) : family_(family) {
    for (const std::string_view source : family.patterns) {
      const std::string pattern = with_unicode_spaces(source);
      int error = 0;
      size_t offset = 0;
      patterns_.emplace_back(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                           PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr));
      CHECK(patterns_.back() != nullptr);
      // Without JIT the interpreter does the same, more slowly.
      pcre2_jit_compile(patterns_.back().get(), PCRE2_JIT_COMPLETE);
    }
  }

  void split(std::string_view text, const Word& word) const override {
    std::vector<Match> matches;
    for (const Pattern& pattern : patterns_) {
      matches.emplace_back(pcre2_match_data_create_from_pattern(pattern.get(), nullptr));
    }
    while (!text.empty()) {
      const std::string_view good = well_formed_start(text);
      if (!good.empty()) split_from(0, good, matches, word);
      text.remove_prefix(good.size());
      size_t bad = 0;
      while (bad < text.size() && code_point_bytes(text.substr(bad)) == 0) ++bad;
      if (bad > 0) word(text.substr(0, bad));
      text.remove_prefix(bad);
    }
  }

  bool wants_nfc() const override { return family_.nfc; }
  bool prefers_whole_words() const override { return family_.whole_words; }

 private:
  void split_from(size_t step, std::string_view text, const std::vector<Match>& matches,
                  const Word& word) const {
    if (step == patterns_.size()) return word(text);
    size_t done = 0;
    while (done < text.size()) {
      const int found =
          pcre2_match(patterns_[step].get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), done,
                      PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, matches[step].get(), nullptr);
      if (found < 0) break;
      const size_t* range = pcre2_get_ovector_pointer(matches[step].get());
      if (range[0] > done) split_from(step + 1, text.substr(done, range[0] - done), matches, word);
      // The next step uses its own match data, but this range must be read before.
      const size_t begin = range[0];
      const size_t end = range[1];
      split_from(step + 1, text.substr(begin, end - begin), matches, word);
      done = end;
    }
    if (done < text.size()) split_from(step + 1, text.substr(done), matches, word);
  }

  const Family& family_;
  std::vector<Pattern> patterns_;
};

}  // namespace

Result<std::unique_ptr<PreTokenizer>> PreTokenizer::make(std::string_view name) {
  for (const Family& family : families()) {
    if (family.name == name) return std::make_unique<PatternPreTokenizer>(family);
  }
  return fail(ErrorCode::kUnsupported,
              "the tokenizer cuts words the \"{}\" way, which this version does not know", name);
}

std::string_view PreTokenizer::name_of(std::span<const std::string> patterns) {
  for (const Family& family : families()) {
    if (std::ranges::equal(family.patterns, patterns)) return family.name;
  }
  return {};
}

std::string_view PreTokenizer::gpt2_pattern() {
  return kGpt2;
}

}  // namespace feilun::model
