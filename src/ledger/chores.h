#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/ledger.h"

// What a ledger must do because time has passed, whoever does it: lots that expired become breakage, months
// that ended are trued up, and, where the operator wants it, invoices are issued and old segments archived.
// Every act is one that is done once however often it is asked for, so a run that was cut off is simply run
// again, and two gateways that run at the same time do no harm.

namespace feilun::ledger {

/// Of a run, so that what else is due waits for seconds at most.
inline constexpr int64_t kSegmentsAtOnce = 50;

struct ChoreOptions {
  bool invoices = false;  ///< of the last month that has ended in each buyer's time zone
  /// Of the sealed segments, those that lie so many whole months (UTC) back are archived; 0: none.
  int archive_after = 0;
};

/// What was done now.
struct ChoresDone {
  int64_t lots_expired = 0;
  int64_t months_trued_up = 0;
  int64_t invoices_issued = 0;
  int64_t segments_archived = 0;  ///< at most kSegmentsAtOnce: then there may be more
};

/// Many short operations, between which others write. Blocks; not on a thread that must not wait.
Result<ChoresDone> do_chores(Ledger& ledger, const ChoreOptions& options, WallTime now);

}  // namespace feilun::ledger
