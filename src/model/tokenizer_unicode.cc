#include "model/tokenizer_unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <vector>

namespace feilun::model {
namespace {

using Runes = std::vector<utf8proc_int32_t>;

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

/// Canonical decomposition of one code point, appended.
void append_decomposed(utf8proc_int32_t rune, Runes& out) {
  utf8proc_int32_t buffer[32];
  int last_class = 0;
  const auto count =
      utf8proc_decompose_char(rune, buffer, std::size(buffer), UTF8PROC_DECOMPOSE, &last_class);
  if (count < 0 || count > static_cast<utf8proc_ssize_t>(std::size(buffer))) {
    out.push_back(rune);
  } else {
    out.insert(out.end(), buffer, buffer + count);
  }
}

int combining_class(utf8proc_int32_t rune) {
  return utf8proc_get_property(rune)->combining_class;
}

/// Sorts each run of combining marks by class, equals in their order. The library's own ordering is quadratic
/// in a run's length.
void order_marks(Runes& runes) {
  std::vector<uint64_t> keys;  // class, place in the run, rune
  for (size_t begin = 0; begin < runes.size();) {
    size_t end = begin;
    keys.clear();
    for (; end < runes.size() && combining_class(runes[end]) != 0; ++end) {
      const auto place = static_cast<uint64_t>(end - begin);
      keys.push_back(static_cast<uint64_t>(combining_class(runes[end])) << 56 | place << 24 |
                     static_cast<uint32_t>(runes[end]));
    }
    std::ranges::sort(keys);
    for (size_t i = 0; i < keys.size(); ++i)
      runes[begin + i] = static_cast<utf8proc_int32_t>(keys[i] & 0xffffff);
    begin = end + 1;
  }
}

void append_composed(Runes& runes, std::string& out) {
  order_marks(runes);
  const auto count =
      utf8proc_normalize_utf32(runes.data(), static_cast<utf8proc_ssize_t>(runes.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    utf8proc_uint8_t bytes[4];
    const auto size = utf8proc_encode_char(runes[i], bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  }
  runes.clear();
}

/// No code point below U+0300 changes or combines with another of them.
bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0xcc; });
}

}  // namespace

size_t code_point_bytes(std::string_view text) {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  const size_t size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (size == 0 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if (!continues(text[i])) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second >= 0xa0;
  const bool too_high = first == 0xf4 && second >= 0x90;
  return overlong || surrogate || too_high ? 0 : size;
}

std::string_view well_formed_start(std::string_view text) {
  size_t end = 0;
  while (end < text.size()) {
    const size_t size = code_point_bytes(text.substr(end));
    if (size == 0) break;
    end += size;
  }
  return text.substr(0, end);
}

std::string normalise_nfc(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  Runes runes;
  while (!text.empty()) {
    const size_t size = code_point_bytes(text);
    if (size == 0) {
      append_composed(runes, out);
      out.push_back(text[0]);
      text.remove_prefix(1);
      continue;
    }
    utf8proc_int32_t rune = 0;
    utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                     static_cast<utf8proc_ssize_t>(size), &rune);
    append_decomposed(rune, runes);
    text.remove_prefix(size);
  }
  append_composed(runes, out);
  return out;
}

}  // namespace feilun::model
