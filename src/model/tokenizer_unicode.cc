#include "model/tokenizer_unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace feilun::model {
namespace {

using Runes = std::vector<utf8proc_int32_t>;

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

bool is_compatible(NormalForm form) {
  return form == NormalForm::kNfkc || form == NormalForm::kNfkd;
}

bool composes(NormalForm form) {
  return form == NormalForm::kNfc || form == NormalForm::kNfkc;
}

/// Decomposition of one code point, appended.
void append_decomposed(utf8proc_int32_t rune, NormalForm form, Runes& out) {
  utf8proc_int32_t buffer[32];
  int last_class = 0;
  const auto options = static_cast<utf8proc_option_t>(
      is_compatible(form) ? UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT : UTF8PROC_DECOMPOSE);
  const auto count = utf8proc_decompose_char(rune, buffer, std::size(buffer), options, &last_class);
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

void append_normalised(Runes& runes, NormalForm form, std::string& out) {
  order_marks(runes);
  auto count = static_cast<utf8proc_ssize_t>(runes.size());
  if (composes(form)) {
    count = utf8proc_normalize_utf32(runes.data(), count,
                                     static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  }
  for (utf8proc_ssize_t i = 0; i < count; ++i) append_rune(static_cast<char32_t>(runes[i]), out);
  runes.clear();
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Most of what texts are made of: code points that NFC leaves alone and that combine with nothing before
/// them. A mark may still combine with one.
bool stays_in_nfc(char32_t rune) {
  return rune < 0x300 || (rune >= 0x4e00 && rune <= 0x9fff) || (rune >= 0x3041 && rune <= 0x3096) ||
         (rune >= 0x30a1 && rune <= 0x30fa) || (rune >= 0x3001 && rune <= 0x3029) ||
         (rune >= 0xac00 && rune <= 0xd7a3) || (rune >= 0x400 && rune <= 0x482) ||
         (rune >= 0x2010 && rune <= 0x2027) || (rune >= 0xff01 && rune <= 0xff5e) ||
         (rune >= 0x1f300 && rune <= 0x1faff);
}

/// Bytes of the code point at the start of `text` when NFC leaves it alone, else 0.
size_t bytes_that_stay(std::string_view text) {
  if (static_cast<unsigned char>(text[0]) < 0x80) return 1;
  const size_t size = code_point_bytes(text);
  return size > 0 && stays_in_nfc(rune_of(text.substr(0, size))) ? size : 0;
}

/// Copies what is not UTF-8 and calls `rune` for each code point.
template <typename Rune>
void for_each_rune(std::string_view text, std::string& out, Rune rune) {
  while (!text.empty()) {
    const size_t size = code_point_bytes(text);
    if (size == 0) {
      out.push_back(text[0]);
      text.remove_prefix(1);
    } else {
      rune(rune_of(text.substr(0, size)));
      text.remove_prefix(size);
    }
  }
}

utf8proc_category_t category(char32_t rune) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(rune));
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
    uint64_t eight = 0;
    if (end + sizeof eight <= text.size()) {
      std::memcpy(&eight, text.data() + end, sizeof eight);
      if ((eight & 0x8080808080808080) == 0) {
        end += sizeof eight;
        continue;
      }
    }
    const size_t size = code_point_bytes(text.substr(end));
    if (size == 0) break;
    end += size;
  }
  return text.substr(0, end);
}

char32_t rune_of(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
  switch (text.size()) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1f) << 6 | (byte(1) & 0x3f);
    case 3:
      return (byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
    default:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
  }
}

void append_rune(char32_t rune, std::string& out) {
  utf8proc_uint8_t bytes[4];
  const auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(rune), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
}

namespace {

/// Any text, code point by code point.
void append_normalised(std::string_view text, NormalForm form, std::string& out) {
  Runes runes;
  while (!text.empty()) {
    const size_t size = code_point_bytes(text);
    if (size == 0) {
      append_normalised(runes, form, out);
      out.push_back(text[0]);
      text.remove_prefix(1);
      continue;
    }
    append_decomposed(static_cast<utf8proc_int32_t>(rune_of(text.substr(0, size))), form, runes);
    text.remove_prefix(size);
  }
  append_normalised(runes, form, out);
}

}  // namespace

std::string normalise(std::string_view text, NormalForm form) {
  if (form == NormalForm::kNfc) return normalise_nfc(text);
  if (is_ascii(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  append_normalised(text, form, out);
  return out;
}

/// Copies what stays and composes only between: from the last code point that stays, which a mark may combine
/// with, to before the next.
std::string normalise_nfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  size_t copied = 0;
  size_t last = 0;
  for (size_t at = 0; at < text.size();) {
    if (const size_t size = bytes_that_stay(text.substr(at)); size > 0) {
      last = at;
      at += size;
      continue;
    }
    size_t end = at;
    while (end < text.size() && bytes_that_stay(text.substr(end)) == 0) ++end;
    out += text.substr(copied, last - copied);
    append_normalised(text.substr(last, end - last), NormalForm::kNfc, out);
    at = copied = last = end;
  }
  return out += text.substr(copied);
}

std::string lowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_rune(text, out, [&](char32_t rune) {
    if (rune == 0x130) {
      out += "i\u0307";  // the one code point whose lower case is two
    } else {
      append_rune(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(rune))), out);
    }
  });
  return out;
}

bool is_white_space(char32_t rune) {
  if (rune < 0x80) return rune == ' ' || (rune >= 0x9 && rune <= 0xd);
  return rune == 0x85 || rune == 0xa0 || rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200a) ||
         rune == 0x2028 || rune == 0x2029 || rune == 0x202f || rune == 0x205f || rune == 0x3000;
}

bool is_nonspacing_mark(char32_t rune) {
  return category(rune) == UTF8PROC_CATEGORY_MN;
}

bool is_mark(char32_t rune) {
  const auto found = category(rune);
  return found == UTF8PROC_CATEGORY_MN || found == UTF8PROC_CATEGORY_MC || found == UTF8PROC_CATEGORY_ME;
}

bool is_control_rune(char32_t rune) {
  const auto found = category(rune);
  return found == UTF8PROC_CATEGORY_CC || found == UTF8PROC_CATEGORY_CF || found == UTF8PROC_CATEGORY_CO;
}

bool is_word_rune(char32_t rune) {
  switch (category(rune)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

}  // namespace feilun::model
