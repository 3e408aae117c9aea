#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/state.h"

// A payer's month is closed when it is invoiced or trued up: what happens to the payer after that counts in a
// later month, even where the clock was set back into the closed one. So every charge is on one invoice.

namespace feilun::ledger {

struct Buyer;

/// No two time zones are further apart, so that what is of a month in one of them is not further from it in
/// another.
inline constexpr auto kZonesSpan = std::chrono::hours(26);

/// In which months a buyer's charges have counted: those of the time zone that it had at each time, but none
/// that was closed by then.
class CountingMonths {
 public:
  static Result<CountingMonths> of(State& state, const Buyer& buyer);
  /// Of what the entry charged.
  Month at(int64_t sequence, WallTime time) const;

 private:
  std::vector<std::pair<int64_t, TimeZone>> zones_;    ///< from which entry on; the first: from 0
  std::vector<std::pair<int64_t, Month>> first_open_;  ///< from which entry on, in any order
};

/// The month in which the payer's charges and refunds count whose time lies in `month`: the first from it on
/// that is not closed.
Result<Month> counting_month(State& state, std::string_view payer_id, Month month);
/// The month in which what an entry charged to the project's payer counts, by the time zone and the closed
/// months of when it was written.
Result<Month> month_counted(State& state, const Project& project, int64_t sequence, WallTime time);
/// With it all before it are closed.
Result<> close_month(State& state, std::string_view payer_id, Month month);

}  // namespace feilun::ledger
