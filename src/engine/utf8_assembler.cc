#include "engine/utf8_assembler.h"

namespace feilun::engine {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

void Utf8Assembler::append(std::string_view bytes, std::string& text) {
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    if (missing_ > 0 && (value < low_ || value > high_)) finish(text);
    if (missing_ == 0) {
      start(value, text);
      continue;
    }
    unfinished_.push_back(byte);
    low_ = 0x80;
    high_ = 0xBF;
    if (--missing_ == 0) {
      text += unfinished_;
      unfinished_.clear();
    }
  }
}

void Utf8Assembler::start(unsigned char lead, std::string& text) {
  if (lead < 0x80) {
    text.push_back(static_cast<char>(lead));
    return;
  }
  if (lead < 0xC2 || lead > 0xF4) {
    text += kReplacement;
    return;
  }
  missing_ = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  low_ = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  high_ = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  unfinished_.assign(1, static_cast<char>(lead));
}

void Utf8Assembler::finish(std::string& text) {
  if (missing_ > 0) text += kReplacement;
  unfinished_.clear();
  missing_ = 0;
}

}  // namespace feilun::engine
