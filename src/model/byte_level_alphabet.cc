#include "model/byte_level_alphabet.h"

#include <algorithm>
#include <array>

#include "model/tokenizer_unicode.h"

namespace feilun::model {
namespace {

/// GPT-2's alphabet: a byte that prints as a Latin-1 character is that character; the others, in order, are
/// the characters from U+0100.
struct PrintableAlphabet {
  std::array<int, 256> rune = {};
  std::array<int, 0x144> byte = {};

  PrintableAlphabet() {
    byte.fill(-1);
    int next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool prints = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      rune[b] = prints ? b : next++;
      byte[rune[b]] = b;
    }
  }
};

const PrintableAlphabet& alphabet() {
  static const PrintableAlphabet instance;
  return instance;
}

}  // namespace

std::string to_printable_bytes(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const int rune = alphabet().rune[static_cast<unsigned char>(c)];
    if (rune < 0x80) {
      out += static_cast<char>(rune);
    } else {
      out += static_cast<char>(0xc0 | rune >> 6);
      out += static_cast<char>(0x80 | (rune & 0x3f));
    }
  }
  return out;
}

std::string from_printable_bytes(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t size = std::max<size_t>(1, code_point_bytes(text));
    int rune = static_cast<unsigned char>(text[0]);
    if (size == 2) rune = (rune & 0x1f) << 6 | (static_cast<unsigned char>(text[1]) & 0x3f);
    const bool known =
        size <= 2 && rune < static_cast<int>(alphabet().byte.size()) && alphabet().byte[rune] >= 0;
    if (known && (size == 2 || rune < 0x80)) {
      out += static_cast<char>(alphabet().byte[rune]);
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace feilun::model
