#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

#include "base/money.h"
#include "base/result.h"

namespace feilun::pricing {

inline constexpr int128 kNanosecondsPerHour = 3'600'000'000'000;
inline constexpr Money kPerHourMax = Money::pico(int128{100'000'000} * 1'000'000'000'000);

/// What a machine costs while it is there.
struct MachinePrice {
  Money per_hour;
  std::string currency;
};

/// "0.50/h". kInvalidArgument when it is not an amount of at least 0 and at most 10^8 an hour.
Result<Money> parse_price_per_hour(std::string_view text);

/// Turns stretches of machine time into money. One price an hour is a fraction of a pico-unit a nanosecond,
/// so each stretch is charged as the difference of two running totals, each rounded down: whatever the
/// stretches are, their costs sum to that of their sum, to the last pico-unit. Threads: any.
class MachineCost {
 public:
  explicit MachineCost(MachinePrice price) : price_(std::move(price)) {}

  const MachinePrice& price() const { return price_; }
  Money accrue(std::chrono::nanoseconds time);
  /// Of all that was accrued.
  Money total() const { return cost_of(accrued_ns_.load()); }

 private:
  Money cost_of(int64_t nanoseconds) const;

  const MachinePrice price_;
  std::atomic<int64_t> accrued_ns_{0};
};

}  // namespace feilun::pricing
