#pragma once

#include <string>
#include <string_view>

#include "base/money.h"
#include "base/result.h"

namespace feilun::pricing {

/// A number at least 0 as people write prices, factors and rates: digits × 10^exponent, exactly. What does
/// not fit is an error, never an approximation; only to_pico() rounds.
class Decimal {
 public:
  constexpr Decimal() = default;
  /// Reads "0.3", "1500", "2.5e-07" (the spelling of JSON numbers): at most 30 significant digits, each of
  /// them between 10⁻⁴⁰ and 10⁴⁰. kInvalidArgument says what is wrong.
  static Result<Decimal> parse(std::string_view text);
  static constexpr Decimal one() { return Decimal(1, 0); }

  constexpr bool is_zero() const { return digits_ == 0; }
  /// kInvalidArgument when the exact product has more digits than an int128 holds.
  Result<Decimal> times(const Decimal& other) const;
  Decimal times_ten_to(int power) const;
  /// The nearest whole number of pico-units, a half upwards. kInvalidArgument when it does not fit.
  Result<Money> to_pico() const;
  /// The number itself. kInvalidArgument when it is no whole number, or above the largest int64_t.
  Result<int64_t> to_count() const;
  /// Without exponent: "0.00000025".
  std::string to_string() const;

  friend constexpr bool operator==(const Decimal&, const Decimal&) = default;

 private:
  constexpr Decimal(int128 digits, int exponent) : digits_(digits), exponent_(exponent) {}
  /// Takes trailing zeros off the digits, so that equal numbers have equal members.
  static Decimal normal(int128 digits, int exponent);

  int128 digits_ = 0;
  int exponent_ = 0;
};

}  // namespace feilun::pricing
