#pragma once

#include <string_view>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/state.h"

// A payer's month is closed when it is invoiced or trued up: what happens to the payer after that counts in a
// later month, even where the clock was set back into the closed one. So every charge is on one invoice.

namespace feilun::ledger {

/// The month in which the payer's charges and refunds count whose time lies in `month`: the first from it on
/// that is not closed.
Result<Month> counting_month(State& state, std::string_view payer_id, Month month);
/// By which the organisation's months went when the entry was written.
Result<TimeZone> zone_at(State& state, std::string_view organisation, int64_t sequence);
/// With it all before it are closed.
Result<> close_month(State& state, std::string_view payer_id, Month month);

}  // namespace feilun::ledger
