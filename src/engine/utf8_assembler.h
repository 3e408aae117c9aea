#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace feilun::engine {

/// Bytes in, whole code points out. Tokens cut characters anywhere, so the bytes of an unfinished one are
/// kept until the rest comes. What can never become a character is replaced by U+FFFD, one for each maximal
/// well-formed beginning (Unicode 15, section 3.9, "U+FFFD Substitution of Maximal Subparts").
class Utf8Assembler {
 public:
  void append(std::string_view bytes, std::string& text);
  /// The text ends here: an unfinished character becomes U+FFFD.
  void finish(std::string& text);

 private:
  void start(unsigned char lead, std::string& text);

  std::string unfinished_;
  size_t missing_ = 0;         ///< bytes until `unfinished_` is whole
  unsigned char low_ = 0x80;   ///< what the next byte may be: the second byte of some characters is
  unsigned char high_ = 0xBF;  ///< narrower than 80..BF, which excludes overlong forms and surrogates
};

}  // namespace feilun::engine
