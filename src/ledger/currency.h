#pragma once

#include <string>
#include <string_view>

#include "base/money.h"
#include "base/result.h"

namespace feilun::ledger {

/// How many decimals the smallest coin of a national currency of ISO 4217 has: CNY 2, JPY 0, KWD 3.
/// kInvalidArgument when the standard has no such currency; funds, metals and test codes are none.
Result<int> minor_digits(std::string_view currency);

/// The smallest amount an invoice can ask for with so many decimals.
Money smallest_unit(int digits);

/// The nearest multiple of `unit`, halves away from zero, so that a reversal rounds to the reverse.
Money round_to(Money amount, Money unit);

/// The amount with at least `digits` decimals, and more where it is not a whole number of smallest units.
std::string to_decimal(Money amount, int digits);
/// The same with the decimals of the currency; with two where the standard does not have it.
std::string to_decimal(Money amount, std::string_view currency);

}  // namespace feilun::ledger
