#include "net/sse.h"

#include <utility>

namespace feilun::net {

void append_sse_data(std::string& out, std::string_view data) {
  out.append("data: ").append(data).append("\n\n");
}

std::vector<SseEvent> SseParser::feed(std::string_view bytes) {
  std::vector<SseEvent> out;
  for (const char c : bytes) {
    const bool second_half_of_crlf = after_cr_ && c == '\n';
    after_cr_ = c == '\r';
    if (second_half_of_crlf) continue;
    if (c != '\n' && c != '\r') {
      if (line_.size() < kEventBytesMax) line_.push_back(c);
      continue;
    }
    take_line(line_, out);
    line_.clear();
  }
  return out;
}

void SseParser::take_line(std::string_view line, std::vector<SseEvent>& out) {
  if (line.empty()) {
    if (has_data_) out.push_back(std::exchange(pending_, {}));
    pending_ = {};
    has_data_ = false;
    return;
  }
  const size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") pending_.event = value;
  if (field == "data" && pending_.data.size() + value.size() < kEventBytesMax) {
    if (has_data_) pending_.data.push_back('\n');
    pending_.data.append(value);
    has_data_ = true;
  }
}

}  // namespace feilun::net
