#include "jinja/text.h"

#include <algorithm>

namespace feilun::jinja {

void Text::append(std::string_view bytes, bool trusted) {
  if (bytes.empty()) return;
  bytes_.append(bytes);
  if (!runs_.empty() && runs_.back().trusted == trusted) {
    runs_.back().end = bytes_.size();
  } else {
    runs_.push_back({bytes_.size(), trusted});
  }
}

void Text::append(const Text& other, size_t begin, size_t end) {
  end = std::min(end, other.size());
  if (begin >= end) return;
  for (size_t run = other.run_at(begin); begin < end; ++run) {
    const size_t stop = std::min(end, other.runs_[run].end);
    append(other.bytes().substr(begin, stop - begin), other.runs_[run].trusted);
    begin = stop;
  }
}

Text Text::slice(size_t begin, size_t end) const {
  Text part;
  part.append(*this, begin, end);
  return part;
}

size_t Text::run_at(size_t position) const {
  return static_cast<size_t>(std::ranges::upper_bound(runs_, position, {}, &Run::end) - runs_.begin());
}

}  // namespace feilun::jinja
