#include "ledger/currency.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace feilun::ledger {
namespace {

/// The national currencies of ISO 4217 by the decimals of their smallest coin, each list sorted.
constexpr auto kNoDecimals =
    std::to_array<std::string_view>({"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF",
                                     "UGX", "VND", "VUV", "XAF", "XOF", "XPF"});
constexpr auto kThreeDecimals =
    std::to_array<std::string_view>({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"});
constexpr auto kTwoDecimals = std::to_array<std::string_view>(
    {"AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BMD", "BND", "BOB",
     "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CUP", "CVE", "CZK",
     "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ",
     "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD",
     "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR",
     "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP",
     "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS",
     "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH",
     "USD", "UYU", "UZS", "VED", "VES", "WST", "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG"});
static_assert(std::ranges::is_sorted(kNoDecimals) && std::ranges::is_sorted(kTwoDecimals) &&
              std::ranges::is_sorted(kThreeDecimals));

constexpr int kPicoDigits = 12;

}  // namespace

Result<int> minor_digits(std::string_view currency) {
  if (std::ranges::binary_search(kTwoDecimals, currency)) return 2;
  if (std::ranges::binary_search(kNoDecimals, currency)) return 0;
  if (std::ranges::binary_search(kThreeDecimals, currency)) return 3;
  return fail(ErrorCode::kInvalidArgument, "'{}' is not a national currency of ISO 4217", currency);
}

Money smallest_unit(int digits) {
  CHECK(digits >= 0 && digits <= kPicoDigits);
  int128 pico = 1;
  for (int i = digits; i < kPicoDigits; ++i) pico *= 10;
  return Money::pico(pico);
}

Money round_to(Money amount, Money unit) {
  const int128 whole = amount.pico() / unit.pico();
  const int128 rest = amount.pico() % unit.pico();  // has the amount's sign
  const int128 magnitude = rest < 0 ? -rest : rest;
  const int128 away = magnitude >= unit.pico() - magnitude ? (rest < 0 ? -1 : 1) : 0;
  return Money::pico((whole + away) * unit.pico());
}

std::string to_decimal(Money amount, int digits) {
  std::string text = amount.to_string();
  const size_t point = text.find('.');
  const size_t decimals_min = static_cast<size_t>(digits);
  while (text.size() - point - 1 < decimals_min) text.push_back('0');
  while (text.size() - point - 1 > decimals_min && text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string to_decimal(Money amount, std::string_view currency) {
  return to_decimal(amount, minor_digits(currency).value_or(2));
}

}  // namespace feilun::ledger
