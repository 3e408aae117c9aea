#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/stop_matcher.h"
#include "engine/utf8_assembler.h"

namespace feilun::engine {

/// The bytes of an answer's tokens on their way to its reader: past the stop strings, then to whole
/// characters. Stop strings are matched on bytes as they were generated.
class TextStream {
 public:
  /// `strip_leading_space`: the very first byte is dropped when it is a space.
  TextStream(bool strip_leading_space, std::vector<std::string> stops);

  /// The next token's bytes. Returns the stop string that was found; nothing may be appended after it.
  std::optional<std::string> append(std::string_view token_bytes);
  /// The answer ends without a stop string: all held text becomes readable.
  void finish();
  /// What became readable since the last call.
  std::string take();

 private:
  bool strip_leading_space_;
  StopMatcher stops_;
  Utf8Assembler characters_;
  std::string bytes_;  ///< scratch between the two
  std::string text_;
};

}  // namespace feilun::engine
