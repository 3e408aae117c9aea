#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pricing/decimal.h"
#include "pricing/exchange_rates.h"
#include "pricing/price.h"

namespace feilun::pricing {

/// Prices per million tokens, in the sheet's currency. What is absent follows from the others (resolve()).
struct ClassPrices {
  std::optional<Decimal> input;
  std::optional<Decimal> cache_read;
  std::optional<Decimal> cache_write;
  std::optional<Decimal> output;
  std::optional<Decimal> reasoning;

  friend bool operator==(const ClassPrices&, const ClassPrices&) = default;
};

/// The prices of a whole request whose input has at least `from` tokens.
struct LengthTier {
  TokenCount from = 0;
  ClassPrices prices;

  friend bool operator==(const LengthTier&, const LengthTier&) = default;
};

/// `prices` up to the first of the length tiers.
struct PriceTable {
  ClassPrices prices;
  std::vector<LengthTier> length_tiers;

  friend bool operator==(const PriceTable&, const PriceTable&) = default;
};

/// Once a customer has used `from` tokens of the offering in a month, its further requests cost `factor`
/// times the price.
struct VolumeTier {
  TokenCount from = 0;
  Decimal factor;

  friend bool operator==(const VolumeTier&, const VolumeTier&) = default;
};

/// What a service tier costs: a factor on the sheet's own table, or a table of its own.
using TierPrice = std::variant<Decimal, PriceTable>;

/// The price of one offering as an operator writes it: a few base prices and what follows from them. It means
/// nothing until resolve() has made integers of it.
struct PriceSheet {
  std::string currency;
  std::vector<std::string> also;  ///< currencies to convert to
  PriceTable base;
  std::optional<Decimal> cache_read_factor;   ///< of the input price
  std::optional<Decimal> cache_write_factor;  ///< of the input price
  std::map<ServiceTier, TierPrice> tiers;
  std::vector<VolumeTier> volume_tiers;

  friend bool operator==(const PriceSheet&, const PriceSheet&) = default;
};

/// Checks what a sheet needs to have rows: known and distinct currencies; input and output in every table; a
/// class named in one table named in all, and not beside its factor; thresholds above 0 that rise; factors of
/// at most 10; no more than kRowsMax rows. kInvalidArgument names the field.
Result<> check_sheet(const PriceSheet& sheet);

/// Reads a sheet (docs/prices.md); an error names the field and says what to write. What it gives,
/// check_sheet() accepts.
Result<PriceSheet> sheet_from_json(std::string_view text);
/// What sheet_from_json() reads back as the same sheet.
std::string to_json(const PriceSheet& sheet);

/// A version for every currency of the sheet, its own first, with the exchange rates of the moment `at`: its
/// currency, rows and rate; the rest is whoever's who publishes it. Each unit price is the exact product of a
/// price, its factors and the rate, rounded once: half up, to a whole pico-unit per token. kInvalidArgument
/// when a product has too many digits to be exact or a unit is above kUnitMax; kNotFound when a rate is
/// missing.
Result<std::vector<PriceVersion>> resolve(const PriceSheet& sheet, const ExchangeRates& rates, WallTime at);

}  // namespace feilun::pricing
