#include "jinja/unicode.h"

#include <locale.h>
#include <simdjson.h>
#include <wctype.h>

namespace feilun::jinja {
namespace {

// The C library's own tables, whatever locale the process runs in.
locale_t unicode_locale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

}  // namespace

CodePoint code_point_at(std::string_view text, size_t position) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[position + i]); };
  const unsigned char first = byte(0);
  const size_t left = text.size() - position;
  if (first < 0x80 || left < 2) return {first, 1};
  if (first < 0xE0) return {static_cast<char32_t>((first & 0x1F) << 6 | (byte(1) & 0x3F)), 2};
  if (left < 3) return {0xFFFD, left};
  if (first < 0xF0) {
    return {static_cast<char32_t>((first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F)), 3};
  }
  if (left < 4) return {0xFFFD, left};
  return {static_cast<char32_t>((first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 |
                                (byte(3) & 0x3F)),
          4};
}

CodePoint code_point_before(std::string_view text, size_t position) {
  size_t start = position - 1;
  while (start > 0 && position - start < 4 && is_continuation(text[start])) --start;
  return {code_point_at(text, start).value, position - start};
}

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  }
}

bool is_valid_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

size_t count_code_points(std::string_view text) {
  size_t count = 0;
  for (char c : text) count += !is_continuation(c);
  return count;
}

size_t byte_of_code_point(std::string_view text, size_t index) {
  size_t position = 0;
  while (position < text.size()) {
    if (!is_continuation(text[position]) && index-- == 0) return position;
    ++position;
  }
  return position;
}

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_digit(char32_t c) {
  return c >= '0' && c <= '9';
}

bool is_alpha(char32_t c) {
  return iswalpha_l(static_cast<wint_t>(c), unicode_locale()) != 0 &&
         !(iswdigit_l(static_cast<wint_t>(c), unicode_locale()));
}
bool is_upper(char32_t c) {
  return iswupper_l(static_cast<wint_t>(c), unicode_locale()) != 0;
}
bool is_lower(char32_t c) {
  return iswlower_l(static_cast<wint_t>(c), unicode_locale()) != 0;
}
char32_t to_upper(char32_t c) {
  return static_cast<char32_t>(towupper_l(static_cast<wint_t>(c), unicode_locale()));
}
char32_t to_lower(char32_t c) {
  return static_cast<char32_t>(towlower_l(static_cast<wint_t>(c), unicode_locale()));
}

bool is_printable(char32_t c) {
  if (c < 0x7F) return c >= 0x20;
  const bool control = c <= 0xA0 || c == 0xAD;
  const bool space = is_space(c);
  const bool format = (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
                      (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) ||
                      (c >= 0xE0001 && c <= 0xE007F);
  const bool not_assigned = (c >= 0xD800 && c <= 0xF8FF) || c >= 0xF0000 || (c & 0xFFFE) == 0xFFFE;
  return !control && !space && !format && !not_assigned;
}

}  // namespace feilun::jinja
