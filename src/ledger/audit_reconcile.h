#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ledger/audit.h"
#include "ledger/audit_export.h"
#include "ledger/audit_outside.h"

namespace feilun::ledger::audit {

struct Reconciled {
  int64_t here = 0;   ///< requests that ended here in the range
  int64_t there = 0;  ///< requests of the outside record
  int64_t equal = 0;
  std::vector<std::string> missing_here;
  std::vector<std::string> missing_there;
  std::vector<std::string> different;  ///< a sentence each
  /// By currency, of what was charged here, and of what the record says there (in the currency of the same
  /// request here where it names none).
  struct Sums {
    int128 here = 0;
    int128 there = 0;
  };
  std::map<std::string, Sums> sums;

  bool ok() const { return missing_here.empty() && missing_there.empty() && different.empty(); }
};

/// Compares the requests that ended in the range with an outside record: what an upstream billed, or a
/// gateway logged. A released request counts as one without tokens and charge, and may be absent there.
/// Amounts may differ by `tolerance` pico-units a request.
Result<Reconciled> reconcile(const Place& place, const std::vector<OutsideRow>& outside,
                             const ExportRange& range, int128 tolerance);

}  // namespace feilun::ledger::audit
