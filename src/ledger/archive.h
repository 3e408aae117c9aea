#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/store.h"

// Sealed segments that were moved out of the database, one file each, in one directory. The database keeps
// each one's line: which entries it has, and the hash of the last, which proves them all. So an archive may
// lie anywhere, and one that is missing or was altered is noticed.

namespace feilun::ledger {

/// "journal-000000000001-000000008192-0123456789abcdef.segment": first and last entry, and the beginning of
/// the last one's hash.
std::string archive_name(const Segment& segment);

/// The segment with its bytes, from the database or else from the store's archive. Inside a transaction of
/// the store. kNotFound, with the file's name, when it is in neither.
Result<Segment> whole_segment(Store& store, Segment segment);

struct Archived {
  int64_t segments = 0;
  int64_t entries = 0;
  int64_t bytes = 0;
};

/// Moves to `directory`, made when absent, the segments whose entries are all older than `before`, oldest
/// first and up to the first that has a newer one, at most `limit`. Each is read and proved whole, its file
/// is durable and read back before the database forgets its bytes, and that is a transaction of its own:
/// whatever ends this in between, doing it again goes on. The file B2SUMS beside them is for `b2sum --check`.
/// kCorrupt when a segment is damaged, kConflict when another file has its name, kUnavailable while another
/// process archives in the directory.
Result<Archived> archive_segments(Store& store, const std::filesystem::path& directory, WallTime before,
                                  int64_t limit = std::numeric_limits<int64_t>::max());

}  // namespace feilun::ledger
