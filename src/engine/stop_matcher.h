#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace feilun::engine {

/// Finds the first stop string in a stream of bytes and holds back what may yet become one.
///
/// Each stop string runs the automaton of Knuth, Morris and Pratt: `matched` is the length of its longest
/// beginning that the text so far ends with. As many bytes as the longest of these must be held. The search
/// is linear in the text however the strings overlap. The match that is complete first counts; of two
/// complete at the same byte the longer.
class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops);

  /// Appends to `text` the bytes that can no longer be part of a stop string, those before a match included.
  /// Returns the stop string when one is complete; nothing may follow then.
  std::optional<std::string> append(std::string_view bytes, std::string& text);
  /// The stream ends without a match: what was held is text.
  void finish(std::string& text);

 private:
  struct Automaton {
    std::string stop;
    std::vector<size_t> border;  ///< border[i]: longest proper beginning of stop[0..i] that also ends it
    size_t matched = 0;
    bool advance(char byte);
  };

  std::vector<Automaton> automata_;
  std::string held_;
};

}  // namespace feilun::engine
