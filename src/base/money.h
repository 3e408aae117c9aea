#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace feilun {

using int128 = __int128;
using TokenCount = int64_t;

/// An amount in pico-units (10⁻¹²) of a currency. Money is never a floating-point number. Sums are
/// checked: an overflow of 128 bits is a programmer's bug, not a wrong balance.
class Money {
 public:
  constexpr Money() = default;
  static constexpr Money pico(int128 value) { return Money(value); }
  /// Reads "1.50", "-0.000000000001"; at most 12 decimals, no exponent, at most 10^20 units.
  static Result<Money> parse(std::string_view text);

  constexpr int128 pico() const { return pico_; }
  constexpr bool is_zero() const { return pico_ == 0; }
  constexpr bool is_negative() const { return pico_ < 0; }
  /// Shortest exact decimal with at least two decimals: "1.50", "0.000000300".
  std::string to_string() const;
  /// The integer of pico-units, as JSON strings carry it.
  std::string to_pico_string() const;

  friend Money operator+(Money a, Money b);
  friend Money operator-(Money a, Money b);
  friend Money operator-(Money a) { return Money() - a; }
  /// Unit price × count.
  friend Money operator*(Money unit, TokenCount count);
  Money& operator+=(Money other) { return *this = *this + other; }
  Money& operator-=(Money other) { return *this = *this - other; }
  friend constexpr auto operator<=>(Money, Money) = default;
  friend constexpr bool operator==(Money, Money) = default;

 private:
  explicit constexpr Money(int128 value) : pico_(value) {}
  int128 pico_ = 0;
};

/// How many whole tokens at `unit` each `budget` pays for; `limit` when the unit is free. Never negative.
TokenCount affordable_tokens(Money budget, Money unit, TokenCount limit);

/// Three capital letters of ISO 4217, such as CNY.
Result<std::string> parse_currency(std::string_view text);

}  // namespace feilun
