#include "pricing/decimal.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace feilun::pricing {
namespace {

constexpr size_t kDigitsMax = 30;
constexpr int kPowerMax = 40;
/// 10³⁸ is the largest power of ten in an int128.
constexpr int kPowerOfInt128 = 38;

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

int128 ten_to(int power) {
  int128 value = 1;
  for (int i = 0; i < power; ++i) value *= 10;
  return value;
}

std::string_view without_leading_zeros(std::string_view digits) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

/// "-07" → -7.
bool read_exponent(std::string_view text, int& exponent) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (!is_digits(digits) || digits.size() > 4) return false;
  return std::from_chars(text.data(), text.data() + text.size(), exponent).ec == std::errc();
}

}  // namespace

Result<Decimal> Decimal::parse(std::string_view text) {
  const auto reject = [text](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a number at least 0: {}", text, why);
  };
  if (text.starts_with('-')) return reject("it is negative");
  const size_t mark = text.find_first_of("eE");
  int exponent = 0;
  if (mark != text.npos && !read_exponent(text.substr(mark + 1), exponent))
    return reject("write it like 0.3");
  const std::string_view mantissa = text.substr(0, mark);
  const size_t point = mantissa.find('.');
  const std::string_view whole = mantissa.substr(0, point);
  const std::string_view fraction = point == mantissa.npos ? "" : mantissa.substr(point + 1);
  if (!is_digits(whole) || (point != mantissa.npos && !is_digits(fraction)))
    return reject("write it like 0.3");

  std::string digits = std::string(whole) + std::string(fraction);
  exponent -= static_cast<int>(std::min<size_t>(fraction.size(), 1'000'000));
  for (; digits.ends_with('0'); ++exponent) digits.pop_back();
  const std::string_view significant = without_leading_zeros(digits);
  if (significant.empty()) return Decimal();
  if (significant.size() > kDigitsMax) return reject("at most 30 digits");
  if (exponent < -kPowerMax || exponent + static_cast<int>(significant.size()) > kPowerMax) {
    return reject("it is too small or too large");
  }
  int128 value = 0;
  for (char c : significant) value = value * 10 + (c - '0');
  return Decimal(value, exponent);
}

Decimal Decimal::normal(int128 digits, int exponent) {
  if (digits == 0) return Decimal();
  for (; digits % 10 == 0; ++exponent) digits /= 10;
  return Decimal(digits, exponent);
}

Result<Decimal> Decimal::times(const Decimal& other) const {
  int128 product;
  if (__builtin_mul_overflow(digits_, other.digits_, &product)) {
    return fail(ErrorCode::kInvalidArgument, "{} × {} has too many digits to be exact: write fewer of them",
                to_string(), other.to_string());
  }
  return normal(product, exponent_ + other.exponent_);
}

Decimal Decimal::times_ten_to(int power) const {
  return is_zero() ? Decimal() : Decimal(digits_, exponent_ + power);
}

Result<Money> Decimal::to_pico() const {
  if (is_zero() || exponent_ < -kPowerOfInt128) return Money();  // every int128 is below 10³⁹ / 2
  if (exponent_ < 0) {
    const int128 divisor = ten_to(-exponent_);
    const int128 rest = digits_ % divisor;
    return Money::pico(digits_ / divisor + (rest >= divisor - rest ? 1 : 0));
  }
  int128 value;
  if (exponent_ > kPowerOfInt128 || __builtin_mul_overflow(digits_, ten_to(exponent_), &value)) {
    return fail(ErrorCode::kInvalidArgument, "{} is too large for an amount", to_string());
  }
  return Money::pico(value);
}

Result<int64_t> Decimal::to_count() const {
  const int128 value = TRY(to_pico()).pico();
  if (exponent_ < 0 || value > std::numeric_limits<int64_t>::max()) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a whole number of tokens", to_string());
  }
  return static_cast<int64_t>(value);
}

std::string Decimal::to_string() const {
  std::string digits = Money::pico(digits_).to_pico_string();
  if (exponent_ >= 0) return is_zero() ? "0" : digits.append(static_cast<size_t>(exponent_), '0');
  const auto decimals = static_cast<size_t>(-exponent_);
  if (digits.size() <= decimals) digits.insert(0, decimals + 1 - digits.size(), '0');
  return digits.insert(digits.size() - decimals, 1, '.');
}

}  // namespace feilun::pricing
