#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "pricing/decimal.h"

namespace feilun::pricing {

/// From `since` on, one unit of `from` is worth `rate` units of `to`.
struct Rate {
  std::string from;
  std::string to;
  Decimal rate;
  WallTime since;

  friend bool operator==(const Rate&, const Rate&) = default;
};

/// Dated exchange rates. A rate holds from its own moment until the next of the same two currencies begins,
/// so that the intervals are half open and cannot overlap. There is no way back: 1 / 7.2 is no finite decimal
/// and could not be applied exactly, so who converts both ways publishes both rates.
class ExchangeRates {
 public:
  /// kInvalidArgument when a currency or the rate is none; kConflict when the two currencies already have a
  /// rate of that moment.
  Result<> add(const Rate& rate);
  /// The rate in force at `at`; between a currency and itself 1, since ever. kNotFound when none is in force
  /// yet.
  Result<Rate> rate_at(std::string_view from, std::string_view to, WallTime at) const;

 private:
  std::map<std::pair<std::string, std::string>, std::map<WallTime, Decimal>> rates_;
};

/// [{"from":"CNY","to":"USD","rate":"0.1389","since":"2026-12-01"}, …], in any order.
Result<ExchangeRates> rates_from_json(std::string_view text);

}  // namespace feilun::pricing
