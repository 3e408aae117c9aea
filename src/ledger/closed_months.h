#pragma once

#include <string_view>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/state.h"

// A payer's month is closed when it is invoiced or trued up: what happens to the payer after that counts in a
// later month, even where the clock was set back into the closed one. So every charge is on one invoice.

namespace feilun::ledger {

/// The month in which the payer's charges and refunds count whose time lies in `month`: the first from it on
/// that is not closed.
Result<Month> counting_month(State& state, std::string_view payer_id, Month month);
/// The month in which what an entry charged to the project's payer counts, by the time zone and the closed
/// months of when it was written.
Result<Month> month_counted(State& state, const Project& project, int64_t sequence, WallTime time);
/// With it all before it are closed.
Result<> close_month(State& state, std::string_view payer_id, Month month);

}  // namespace feilun::ledger
