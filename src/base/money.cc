#include "base/money.h"

#include <algorithm>

#include "base/check.h"

namespace feilun {
namespace {

constexpr int kDecimals = 12;
constexpr int kWholeDigitsMax = 21;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string digits_of(unsigned __int128 value) {
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value != 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

unsigned __int128 magnitude(int128 value) {
  return value < 0 ? -static_cast<unsigned __int128>(value) : static_cast<unsigned __int128>(value);
}

}  // namespace

Result<Money> Money::parse(std::string_view text) {
  const std::string_view whole_text = text;
  const auto reject = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not an amount: {}", whole_text, why);
  };
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = point == text.npos ? "" : text.substr(point + 1);
  if (whole.empty() || (point != text.npos && fraction.empty())) return reject("write it like 1.50");
  if (!std::ranges::all_of(whole, is_digit) || !std::ranges::all_of(fraction, is_digit)) {
    return reject("write it like 1.50");
  }
  if (fraction.size() > kDecimals) return reject("at most 12 decimals");
  if (whole.size() > kWholeDigitsMax) return reject("too large");
  int128 value = 0;
  for (char c : whole) value = value * 10 + (c - '0');
  for (int i = 0; i < kDecimals; ++i) {
    value = value * 10 + (i < static_cast<int>(fraction.size()) ? fraction[i] - '0' : 0);
  }
  return Money(negative ? -value : value);
}

std::string Money::to_string() const {
  std::string digits = digits_of(magnitude(pico_));
  if (digits.size() <= kDecimals) digits.insert(0, kDecimals + 1 - digits.size(), '0');
  std::string whole = digits.substr(0, digits.size() - kDecimals);
  std::string fraction = digits.substr(digits.size() - kDecimals);
  while (fraction.size() > 2 && fraction.back() == '0') fraction.pop_back();
  return (is_negative() ? "-" : "") + whole + "." + fraction;
}

std::string Money::to_pico_string() const {
  return (is_negative() ? "-" : "") + digits_of(magnitude(pico_));
}

Money operator+(Money a, Money b) {
  int128 sum;
  CHECK(!__builtin_add_overflow(a.pico_, b.pico_, &sum));
  return Money(sum);
}

Money operator-(Money a, Money b) {
  int128 difference;
  CHECK(!__builtin_sub_overflow(a.pico_, b.pico_, &difference));
  return Money(difference);
}

Money operator*(Money unit, TokenCount count) {
  int128 product;
  CHECK(!__builtin_mul_overflow(unit.pico_, static_cast<int128>(count), &product));
  return Money(product);
}

TokenCount affordable_tokens(Money budget, Money unit, TokenCount limit) {
  if (limit <= 0) return 0;
  if (unit.pico() <= 0) return limit;
  if (budget.is_negative()) return 0;
  return static_cast<TokenCount>(std::min<int128>(budget.pico() / unit.pico(), limit));
}

Result<std::string> parse_currency(std::string_view text) {
  const bool three_capitals =
      text.size() == 3 && std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!three_capitals) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a currency: write three capitals such as CNY",
                text);
  }
  return std::string(text);
}

}  // namespace feilun
