#pragma once

#include <string_view>

#include "base/money.h"
#include "base/result.h"

namespace feilun::ledger {

/// kInvalidArgument, with both bounds in its message, when the amount is below `least` or above
/// kOneAmountMax.
Result<> check_amount(std::string_view what, Money amount, Money least = {});
/// The same when the ledger would hold more than it can once `more` was put in; `funding` is what was.
Result<> check_funding(Money funding, Money more);

/// The least that is more than nothing.
inline constexpr Money kLeastAmount = Money::pico(1);

}  // namespace feilun::ledger
