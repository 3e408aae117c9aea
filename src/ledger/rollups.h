#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/state.h"

// Sums of settled requests, kept with each settle, so that a month's usage, its costs and its invoice are
// read from a few rows however many requests there were. Like all state they can be rebuilt from the journal.

namespace feilun::ledger {

/// What requests are summed by.
struct UsageKey {
  std::string project_id;
  std::string key_id;  ///< empty in monthly sums
  std::string offering;
  ServiceTier tier = ServiceTier::kDefault;
  int64_t price_id = 0;
  int64_t price_row = 0;

  friend auto operator<=>(const UsageKey&, const UsageKey&) = default;
};

struct UsageSums {
  int64_t requests = 0;
  TokenUsage usage;
  TokenUsage covered;  ///< of these, paid for with packages
  Money charged;

  UsageSums& operator+=(const UsageSums& other);
};

struct UsageRow {
  WallTime from;  ///< of the hour or the day, UTC; of monthly sums nothing
  UsageKey key;
  UsageSums sums;
};

/// Adds to the sums of the hour, the day and the month, and to the payer's volume of the offering.
Result<> add_usage(State& state, std::string_view payer, WallTime at, Month month, const UsageKey& key,
                   const UsageSums& sums);

using TakeUsage = std::function<Result<>(const UsageRow&)>;

/// Calls `take` with the sums of the hours that begin in the period, in order, each good until it returns.
Result<> each_hour(State& state, std::string_view payer, Period period, const TakeUsage& take);
/// The same by the day for the days (UTC) that lie in the period whole, and by the hour for what is left of
/// it.
Result<> each_day(State& state, std::string_view payer, Period period, const TakeUsage& take);
Result<std::vector<UsageRow>> hourly_usage(State& state, std::string_view payer, Period period);
/// A month of the payer's time zone.
Result<std::vector<UsageRow>> monthly_usage(State& state, std::string_view payer, Month month);
/// What the payer's requests were charged in the month.
Result<Money> charged_in(State& state, std::string_view payer, Month month);
/// Tokens of the offering that the payer's settled requests have used in the month.
Result<TokenCount> volume(State& state, std::string_view payer, std::string_view offering, Month month);
/// Everyone who has settled anything, in order.
Result<std::vector<std::string>> payers_with_usage(State& state);

}  // namespace feilun::ledger
