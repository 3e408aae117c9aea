#include "jinja/string_literal.h"

#include <charconv>

#include "jinja/unicode.h"

namespace feilun::jinja {
namespace {

constexpr std::string_view kSimpleEscapes = "\\'\"abfnrtv";
constexpr std::string_view kSimpleValues = "\\'\"\a\b\f\n\r\t\v";

// Reads exactly `count` hexadecimal digits.
Result<char32_t> hexadecimal(std::string_view digits, size_t count) {
  uint32_t value = 0;
  digits = digits.substr(0, count);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() < count || error != std::errc() || end != digits.data() + count) {
    return fail(ErrorCode::kInvalidArgument, "the escape in the string needs {} hexadecimal digits", count);
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
    return fail(ErrorCode::kInvalidArgument, "the escape in the string is not a character");
  }
  return static_cast<char32_t>(value);
}

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

}  // namespace

Result<std::string> unescape(std::string_view literal) {
  std::string value;
  for (size_t i = 0; i < literal.size(); ++i) {
    if (literal[i] != '\\' || i + 1 >= literal.size()) {
      value.push_back(literal[i]);
      continue;
    }
    const char c = literal[++i];
    const size_t simple = kSimpleEscapes.find(c);
    if (simple != std::string_view::npos) {
      value.push_back(kSimpleValues[simple]);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      append_utf8(value, TRY(hexadecimal(literal.substr(i + 1), count)));
      i += count;
    } else if (is_octal(c)) {
      char32_t octal = 0;
      size_t end = i;
      while (end < literal.size() && end < i + 3 && is_octal(literal[end])) {
        octal = octal * 8 + static_cast<char32_t>(literal[end++] - '0');
      }
      append_utf8(value, octal);
      i = end - 1;
    } else if (c != '\n') {
      value += {'\\', c};
    }
  }
  return value;
}

}  // namespace feilun::jinja
