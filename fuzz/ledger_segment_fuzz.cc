// LINK: feilun_ledger
// Any bytes as a journal segment, and as one of its frames behind the checks, are refused or are entries; and
// any entries come back from a segment as they went in.
#include <cstdint>
#include <string>

#include "ledger/segment.h"
#include "ledger/segment_frame.h"

namespace {

using namespace feilun;
using namespace feilun::ledger;

void read_everything(const Segment& segment) {
  const auto reader = SegmentReader::open(segment);
  if (!reader) {
    if (reader.error().code != ErrorCode::kCorrupt) __builtin_trap();
    return;
  }
  for (const auto& frame : reader->frames()) {
    const auto rows = reader->read(frame);
    if (!rows && rows.error().code != ErrorCode::kCorrupt) __builtin_trap();
  }
}

/// Each entry is as long as the byte before it says.
void seal_and_read(std::string_view bytes) {
  ChainHead head;
  SegmentWriter writer(head);
  std::vector<JournalRow> rows;
  while (!bytes.empty()) {
    const size_t size = static_cast<uint8_t>(bytes[0]);
    const std::string_view payload = bytes.substr(1, size);
    bytes.remove_prefix(1 + payload.size());
    rows.push_back(chain(head, WallTime(std::chrono::microseconds(size * 1000)), std::string(payload)));
    head = {rows.back().sequence, rows.back().hash};
    if (!writer.add(rows.back())) __builtin_trap();
  }
  if (rows.empty()) return;
  const auto reader = SegmentReader::open(writer.finish());
  if (!reader) __builtin_trap();
  size_t next = 0;
  for (const auto& frame : reader->frames()) {
    const auto read = reader->read(frame);
    if (!read) __builtin_trap();
    for (const JournalRow& row : *read) {
      if (row.payload != rows[next].payload || row.time != rows[next].time) __builtin_trap();
      ++next;
    }
  }
  if (next != rows.size()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 's') {
    read_everything({.first = 1, .last = 3, .bytes = std::string(rest)});
  } else if (data[0] == 'e') {
    seal_and_read(rest);
  } else {
    const auto rows = unpack_frame(rest, data[0]);
    if (rows && pack_frame(*rows).empty()) __builtin_trap();
  }
  return 0;
}
