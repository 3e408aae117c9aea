#pragma once

#include <cstdint>
#include <string_view>

#include "base/money.h"
#include "pricing/machine_cost.h"

/// Bounds that keep every product and sum of the ledger far inside 128 bits. They are checked where numbers
/// come in, so that the arithmetic behind them cannot overflow: a unit price of 10¹⁸ × all tokens that 63
/// bits can count × 5 classes < 10³⁸; ten thousand million amounts of 10²⁷ are 10³⁷; and a currency's whole
/// funding stays within 10³⁶.
namespace feilun::ledger {

inline constexpr int128 kTrillion = 1'000'000'000'000;
inline constexpr TokenCount kTokensMax = 1'000'000'000'000;
/// What one act can be about: a thousand million million units of a currency.
inline constexpr Money kOneAmountMax = Money::pico(kTrillion * kTrillion * 1000);
inline constexpr Money kFundingMax = Money::pico(kTrillion * kTrillion * kTrillion);
inline constexpr Money kAmountMax = Money::pico(kTrillion * kTrillion * kTrillion * 10);
inline constexpr int64_t kSequenceMax = int64_t{1} << 62;
inline constexpr size_t kTextBytesMax = 256;
inline constexpr size_t kLongTextBytesMax = 1 << 23;
inline constexpr size_t kPostingsMax = 256;

/// What packages are counted in where money has its currency; one token is one whole unit.
inline constexpr std::string_view kTokenUnit = "TOK";

// Of what one request took of a machine: three years of time at 10⁸ units an hour.
inline constexpr int64_t kCostNanosecondsMax = 100'000'000'000'000'000;
using pricing::kPerHourMax;
inline constexpr Money kCostMax = Money::pico(kTrillion * kTrillion * 10);
using pricing::kNanosecondsPerHour;

}  // namespace feilun::ledger
