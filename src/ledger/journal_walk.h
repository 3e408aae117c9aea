#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/fields.h"
#include "ledger/journal.h"
#include "ledger/segment.h"
#include "ledger/state.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// Which entries are wanted. Those of other times may come with them, but need not be read where they are
/// sealed and not above `thorough_from`.
struct JournalRange {
  int64_t after = 0;
  WallTime from = WallTime::min();
  WallTime until = WallTime::max();
  int64_t thorough_from = INT64_MAX;  ///< from this sequence on every entry before `until` is wanted
  int64_t at_once = 4096;             ///< at most so many of those that are not sealed
};

/// Reads the journal piece by piece, sealed entries and others alike. Between two pieces the transaction may
/// end, the journal grow and be sealed: no entry comes twice or is left out. Memory holds one segment.
class JournalWalk {
 public:
  explicit JournalWalk(JournalRange range = {}) : range_(range), at_(range.after) {}

  /// The next entries, in order; none where the journal ends for now. Inside a transaction of the store.
  /// kNotFound names a segment that was archived and is not where archives are.
  Result<std::vector<JournalRow>> next(Store& store);

 private:
  bool wants(const SegmentReader::Frame& frame) const;
  /// The segment with the entry behind at_; false when there is none.
  Result<bool> enter_segment(Store& store);

  JournalRange range_;
  int64_t at_;
  std::optional<SegmentReader> sealed_;
  size_t frame_ = 0;
};

/// One entry. kNotFound when there is none of that sequence.
Result<JournalRow> journal_entry(Store& store, int64_t sequence);
/// The hold of a request that ended with entry `ended`. kCorrupt when the journal has none.
Result<JournalRow> hold_entry(State& state, std::string_view request_id, int64_t ended);

/// The postings that end a payload, or what a settle spent of each draw.
std::vector<Posting> read_postings(FieldReader& fields);

}  // namespace feilun::ledger
