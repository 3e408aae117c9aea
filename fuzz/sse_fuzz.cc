// LINK: feilun_net
// Server-sent events arrive from another process: any bytes, cut anywhere, must parse to the same events.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/check.h"
#include "net/sse.h"

using namespace feilun;

namespace {

std::vector<net::SseEvent> parse(std::string_view bytes, size_t piece) {
  net::SseParser parser;
  std::vector<net::SseEvent> events;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    for (net::SseEvent& event : parser.feed(bytes.substr(at, piece))) events.push_back(std::move(event));
  }
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = parse(bytes, size + 1);
  const auto pieces = parse(bytes, 1 + size % 7);
  CHECK(whole.size() == pieces.size());
  for (size_t i = 0; i < whole.size(); ++i) {
    CHECK(whole[i].event == pieces[i].event && whole[i].data == pieces[i].data);
  }
  return 0;
}
