#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace feilun::model {

/// Bytes of the well-formed UTF-8 code point that `text` starts with; 0 when it starts with none.
size_t code_point_bytes(std::string_view text);

/// The longest start of `text` that is well-formed UTF-8.
std::string_view well_formed_start(std::string_view text);

/// The code point whose well-formed bytes are `text`.
char32_t rune_of(std::string_view text);
void append_rune(char32_t rune, std::string& out);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
/// One of Unicode's normalization forms of `text`; bytes that are not UTF-8 stay as they are. O(n log n).
std::string normalise(std::string_view text, NormalForm form);
std::string normalise_nfc(std::string_view text);

/// Each code point's lower case by itself, without regard to its neighbours.
std::string lowercase(std::string_view text);

/// Unicode's property White_Space.
bool is_white_space(char32_t rune);
/// A mark of category Mn, or of any category M.
bool is_nonspacing_mark(char32_t rune);
bool is_mark(char32_t rune);
/// Categories Cc, Cf and Co.
bool is_control_rune(char32_t rune);
/// What a word is made of: letters, marks, decimal digits, connectors.
bool is_word_rune(char32_t rune);

}  // namespace feilun::model
