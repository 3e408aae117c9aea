#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace feilun::net {

/// Appends "data: …\n\n". `data` holds no line break.
void append_sse_data(std::string& out, std::string_view data);

/// One server-sent event.
struct SseEvent {
  std::string event;  ///< empty: "message"
  std::string data;
};

/// Cuts a byte stream into server-sent events (the WHATWG rules: any line ending, several data lines,
/// comments). Bytes may come in any pieces. An event that grows past `kEventBytesMax` is dropped.
class SseParser {
 public:
  static constexpr size_t kEventBytesMax = 16 * 1024 * 1024;
  /// The events that `bytes` complete.
  std::vector<SseEvent> feed(std::string_view bytes);

 private:
  void take_line(std::string_view line, std::vector<SseEvent>& out);
  std::string line_;
  SseEvent pending_;
  bool has_data_ = false;
  bool after_cr_ = false;
};

}  // namespace feilun::net
