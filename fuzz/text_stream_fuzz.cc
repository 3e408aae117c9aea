// LINK: feilun_engine
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "engine/text_stream.h"

/// Any bytes of a model and any stop strings of a client: the text must be whole characters, hold no stop
/// string, and be the same however the bytes were cut into tokens.
namespace {

using feilun::engine::TextStream;

struct Read {
  std::string text;
  bool stopped = false;
};

Read read(std::string_view bytes, size_t piece, const std::vector<std::string>& stops) {
  TextStream stream(true, stops);
  Read read;
  for (size_t i = 0; i < bytes.size() && !read.stopped; i += piece) {
    read.stopped = stream.append(bytes.substr(i, piece)).has_value();
    read.text += stream.take();
  }
  if (!read.stopped) stream.finish();
  read.text += stream.take();
  return read;
}

}  // namespace

// The first byte says how many stop strings there are, each byte after that how long one is.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  std::vector<std::string> stops;
  size_t count = static_cast<unsigned char>(bytes.front()) % 5;
  for (bytes.remove_prefix(1); count > 0 && !bytes.empty(); --count) {
    const size_t length = 1 + static_cast<unsigned char>(bytes.front()) % 8;
    bytes.remove_prefix(1);
    stops.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(std::min(length, bytes.size()));
    if (stops.back().empty()) stops.pop_back();
  }
  const Read whole = read(bytes, bytes.size() + 1, stops);
  for (const size_t piece : {1, 2, 3, 7}) {
    const Read cut = read(bytes, piece, stops);
    CHECK(cut.text == whole.text && cut.stopped == whole.stopped);
  }
  // Characters put together again from characters are the same characters.
  TextStream again(false, {});
  again.append(whole.text);
  CHECK(again.take() == whole.text);
  for (const std::string& stop : stops) {
    const bool ascii = stop.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos;
    if (ascii) CHECK(whole.text.find(stop) == std::string::npos);
  }
  return 0;
}
