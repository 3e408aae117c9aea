#pragma once

#include "base/result.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// How the journal's old entries are packed away: in runs of `run`, as long as `kept` newer ones stay as
/// rows.
struct SealingOptions {
  int64_t run = 8192;
  int64_t kept = 16384;
};

/// Seals the oldest run of entries that are rows, in a write transaction of its own, when there are enough
/// behind it. False when there are not. What was sealed is never read back on the way of a request.
Result<bool> seal_oldest(Store& store, const SealingOptions& options = {});

}  // namespace feilun::ledger
