#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace feilun::jinja {

/// The code point that starts at `position` of valid UTF-8, and how many bytes it takes.
struct CodePoint {
  char32_t value = 0;
  size_t size = 1;
};
CodePoint code_point_at(std::string_view text, size_t position);
/// The code point that ends just before `position` (> 0).
CodePoint code_point_before(std::string_view text, size_t position);
void append_utf8(std::string& out, char32_t code_point);

bool is_valid_utf8(std::string_view text);
size_t count_code_points(std::string_view text);
/// Byte position of the `index`-th code point, or the end when there are fewer.
size_t byte_of_code_point(std::string_view text, size_t index);

/// What Python's str.isspace, isalpha, isupper, islower, isprintable say of one character; case mappings
/// are the simple ones, one character to one.
bool is_space(char32_t c);
bool is_alpha(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_digit(char32_t c);
bool is_printable(char32_t c);
char32_t to_upper(char32_t c);
char32_t to_lower(char32_t c);

}  // namespace feilun::jinja
