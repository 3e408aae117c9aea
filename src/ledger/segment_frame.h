#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/journal.h"

/// One frame of a segment: some thousand entries that are compressed together, and read together.
///
/// Before zstd sees them, entries are taken apart into columns, because bytes of one meaning compress best
/// among their like: times and lengths; the payloads by their first byte (their kind); and out of the
/// payloads every id of base/ids.h. An id is 26 characters, of which 80 bits are random. It is written out
/// once a frame and is a small number from then on: a hold's request comes again in its settlement, its
/// project in the next thousand holds. Nothing here knows a payload's fields; what looks like no id just
/// stays where it is.
///
///     frame    number of kinds, then of each: byte kind, number of its bytes of refs, and of text
///              number of bytes of heads, and of ids
///              heads, ids, then of each kind its refs and its text
///     heads    of each entry: number time (since the one before; zigzag), number of payload bytes, byte kind
///     text     payloads without their first byte and without ids; the '_' before an id stays
///     refs     for every '_' in the text a number: 0 no id follows, 1 the next of `ids`, n + 2 the n-th
///     again ids      number time (since the id before; zigzag), 10 random bytes
namespace feilun::ledger {

inline constexpr size_t kFrameEntriesMax = 65'536;
inline constexpr size_t kFrameBytesMax = 32 << 20;  ///< of its payloads, and of the frame unpacked

/// Times within some thirty thousand years of 1970: others do not fit into the columns.
inline bool in_frame_range(WallTime time) {
  const int64_t microseconds = time.time_since_epoch().count();
  return microseconds > -(int64_t{1} << 60) && microseconds < int64_t{1} << 60;
}

/// The columns of rows that keep within the bounds.
std::string pack_frame(std::span<const JournalRow> rows);

/// `count` entries with their times and payloads; kCorrupt for whatever pack_frame() could not have written.
Result<std::vector<JournalRow>> unpack_frame(std::string_view bytes, size_t count);

}  // namespace feilun::ledger
