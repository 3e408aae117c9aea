#include "engine/text_stream.h"

#include <utility>

namespace feilun::engine {

TextStream::TextStream(bool strip_leading_space, std::vector<std::string> stops)
    : strip_leading_space_(strip_leading_space), stops_(std::move(stops)) {}

std::optional<std::string> TextStream::append(std::string_view token_bytes) {
  if (std::exchange(strip_leading_space_, false) && token_bytes.starts_with(' '))
    token_bytes.remove_prefix(1);
  bytes_.clear();
  std::optional<std::string> stop = stops_.append(token_bytes, bytes_);
  characters_.append(bytes_, text_);
  if (stop) characters_.finish(text_);
  return stop;
}

void TextStream::finish() {
  bytes_.clear();
  stops_.finish(bytes_);
  characters_.append(bytes_, text_);
  characters_.finish(text_);
}

std::string TextStream::take() {
  return std::exchange(text_, {});
}

}  // namespace feilun::engine
