#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace feilun::model {

/// Cuts text into the words within which byte-level merges happen. Immutable; any thread may call.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;

  /// `name` is GGUF's tokenizer.ggml.pre. kUnsupported for one that is not in the table.
  static Result<std::unique_ptr<PreTokenizer>> make(std::string_view name);
  /// GGUF's name of the pre-tokenizer whose patterns, as tokenizer.json writes them, are `patterns` one after
  /// the other; empty when it is not in the table.
  static std::string_view name_of(std::span<const std::string> patterns);
  /// GPT-2's pattern, which tokenizer.json's ByteLevel applies by itself.
  static std::string_view gpt2_pattern();

  /// Calls `word` for each piece in order; together they are `text`. Any bytes are accepted.
  virtual void split(std::string_view text, const std::function<void(std::string_view)>& word) const = 0;
  /// True when text is brought into Unicode's form NFC first.
  virtual bool wants_nfc() const = 0;
  /// True when a word that is a token is that token, whatever the merges say.
  virtual bool prefers_whole_words() const = 0;
};

}  // namespace feilun::model
