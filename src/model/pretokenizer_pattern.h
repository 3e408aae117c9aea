#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;

namespace feilun::model {

struct ByteRange {
  size_t begin = 0;
  size_t end = 0;
};

/// A regular expression that finds words, written as tokenizer.json writes them: in Oniguruma's syntax.
/// Immutable; any thread may call.
class WordPattern {
 public:
  enum class Source {
    kOurs,  ///< known to take linear time: runs unwatched
    kFile,  ///< from outside: its work is counted, and ends when it exceeds what the text's size explains
  };
  /// kUnsupported when the pattern uses something whose meaning here would differ, or is not a pattern.
  static Result<std::unique_ptr<WordPattern>> make(std::string_view pattern, Source source);
  ~WordPattern();

 private:
  friend class WordSearch;
  explicit WordPattern(Source source) : source_(source) {}
  struct FreeCode {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, FreeCode> code_;
  Source source_;
};

/// Finds a pattern's matches in one text. Used by one thread.
class WordSearch {
 public:
  /// `text_bytes`: of all the texts this search will see, which bounds its work.
  WordSearch(const WordPattern& pattern, size_t text_bytes);
  ~WordSearch();
  WordSearch(WordSearch&&) noexcept;

  /// The first match that is not empty, from `from` on. `text` is well-formed UTF-8 and `from` at a code
  /// point. None either when the allowed work is done: the rest of the text then counts as unmatched.
  std::optional<ByteRange> find(std::string_view text, size_t from);
  bool is_exhausted() const;

 private:
  struct Budget;
  struct FreeMatch {
    void operator()(pcre2_real_match_data_8* match) const;
  };
  struct FreeContext {
    void operator()(pcre2_real_match_context_8* context) const;
  };
  const WordPattern* pattern_;
  std::unique_ptr<Budget> budget_;
  std::unique_ptr<pcre2_real_match_data_8, FreeMatch> match_;
  std::unique_ptr<pcre2_real_match_context_8, FreeContext> context_;
};

/// `pattern` with everything replaced that PCRE2 reads differently. kUnsupported as in WordPattern::make.
Result<std::string> pcre2_pattern(std::string_view pattern);

}  // namespace feilun::model
