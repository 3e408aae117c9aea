#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/pretokenizer_pattern.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {

/// Cuts text into the words that become tokens one by one. Immutable; any thread may call.
class PreTokenizer {
 public:
  /// Whether to go on.
  using Word = std::function<bool(std::string_view)>;

  /// kUnsupported when a pattern cannot be run.
  static Result<PreTokenizer> make(std::vector<WordStep> steps);

  /// Calls `word` for each piece in order until it says no; none is empty. Any bytes are accepted.
  /// `at_start`: `text` begins the whole text that a user gave.
  void split(std::string_view text, bool at_start, const Word& word) const;

 private:
  /// What one call of split needs at one step.
  struct Scratch;
  // False once `word` has said no.
  bool run(size_t step, std::string_view text, bool at_start, std::vector<Scratch>& scratch,
           const Word& word) const;
  bool cut(size_t step, std::string_view text, bool at_start, std::vector<Scratch>& scratch,
           const Word& word) const;

  std::vector<WordStep> steps_;
  std::vector<std::unique_ptr<WordPattern>> patterns_;  // one per step, null where it has none
};

}  // namespace feilun::model
