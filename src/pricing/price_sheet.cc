// From a sheet to rows. A row is one choice of tier, length tier and volume tier; its prices are looked up or
// multiplied exactly and rounded at the very end, so that the order of factors cannot matter and no rounding
// is rounded again.
#include "pricing/price_sheet.h"

#include <algorithm>

#include "pricing/class_fields.h"

namespace feilun::pricing {
namespace {

/// The exact price of every class, with what the sheet leaves out.
Result<ClassPrices> complete(const ClassPrices& written, const PriceSheet& sheet) {
  ClassPrices prices = written;
  if (sheet.cache_read_factor) prices.cache_read = TRY(prices.input->times(*sheet.cache_read_factor));
  if (sheet.cache_write_factor) prices.cache_write = TRY(prices.input->times(*sheet.cache_write_factor));
  if (!prices.cache_read) prices.cache_read = prices.input;
  if (!prices.cache_write) prices.cache_write = prices.input;
  if (!prices.reasoning) prices.reasoning = prices.output;
  return prices;
}

/// Prices per million → pico-units per token, times a factor.
Result<UnitPrices> to_units(const ClassPrices& prices, const Decimal& factor) {
  constexpr int kPicoPerTokenOfMillion = 12 - 6;
  UnitPrices units;
  for (const auto& [name, price, unit] : kClassFields) {
    const Decimal exact = TRY((prices.*price)->times(factor));
    units.*unit = TRY(exact.times_ten_to(kPicoPerTokenOfMillion).to_pico());
  }
  return units;
}

Result<> add_rows(ServiceTier tier, const PriceTable& table, const Decimal& factor, const PriceSheet& sheet,
                  std::vector<PriceRow>& rows) {
  const auto add_length = [&](TokenCount input_from, const ClassPrices& written) -> Result<> {
    const ClassPrices prices = TRY(complete(written, sheet));
    rows.push_back({tier, input_from, 0, TRY(to_units(prices, factor))});
    for (const VolumeTier& volume : sheet.volume_tiers) {
      const Decimal reduced = TRY(factor.times(volume.factor));
      rows.push_back({tier, input_from, volume.from, TRY(to_units(prices, reduced))});
    }
    return {};
  };
  TRY(add_length(0, table.prices));
  for (const LengthTier& length : table.length_tiers) TRY(add_length(length.from, length.prices));
  return {};
}

Result<std::vector<PriceRow>> rows_in(const PriceSheet& sheet, const Decimal& rate) {
  std::vector<PriceRow> rows;
  TRY(add_rows(ServiceTier::kDefault, sheet.base, rate, sheet, rows));
  for (const auto& [tier, price] : sheet.tiers) {
    if (const auto* factor = std::get_if<Decimal>(&price)) {
      const Decimal whole_factor = TRY(rate.times(*factor));
      TRY(add_rows(tier, sheet.base, whole_factor, sheet, rows));
    } else {
      TRY(add_rows(tier, std::get<PriceTable>(price), rate, sheet, rows));
    }
  }
  return rows;
}

}  // namespace

Result<std::vector<PriceVersion>> resolve(const PriceSheet& sheet, const ExchangeRates& rates, WallTime at) {
  TRY(check_sheet(sheet));
  std::vector<std::string> currencies = {sheet.currency};
  currencies.insert(currencies.end(), sheet.also.begin(), sheet.also.end());
  std::vector<PriceVersion> resolved;
  for (const std::string& currency : currencies) {
    Rate rate = TRY(rates.rate_at(sheet.currency, currency, at));
    PriceVersion version{.currency = currency, .rows = TRY(rows_in(sheet, rate.rate))};
    TRY(check_rows(version));
    if (currency != sheet.currency) version.rate = std::move(rate);
    resolved.push_back(std::move(version));
  }
  return resolved;
}

}  // namespace feilun::pricing
