// What a sheet must have before its rows can be made. The reader's errors are about how a field is written,
// these about what the fields mean together; importers and the command line build sheets without the reader.
#include <algorithm>
#include <set>

#include "pricing/class_fields.h"
#include "pricing/json_fields.h"
#include "pricing/price_sheet.h"

namespace feilun::pricing {
namespace {

Result<> check_currencies(const PriceSheet& sheet) {
  std::set<std::string> seen;
  std::vector<std::pair<std::string, std::string>> named = {{"currency", sheet.currency}};
  for (size_t i = 0; i < sheet.also.size(); ++i)
    named.emplace_back(fmt::format("also[{}]", i), sheet.also[i]);
  for (const auto& [path, currency] : named) {
    auto known = parse_currency(currency);
    if (!known) return fail_at(path, std::move(known).error());
    if (!seen.insert(currency).second) return fail_at(path, "{} stands there already", currency);
  }
  return {};
}

Result<> check_factor(const Decimal& factor, const std::string& path) {
  // A factor of 50 was meant as 50 percent.
  constexpr Money kFactorMax = Money::pico(10'000'000'000'000);
  const auto exact = factor.times_ten_to(12).to_pico();
  if (!exact || *exact > kFactorMax) {
    return fail_at(path, "{} is no factor: \"0.5\" is half the price, and 10 the most", factor.to_string());
  }
  return {};
}

Result<> check_threshold(TokenCount from, TokenCount before, const std::string& path) {
  if (from <= before) return fail_at(path, "thresholds are above 0 and rise: {} follows {}", from, before);
  return {};
}

/// Whether a price per million is at most kUnitMax per token.
bool is_payable(const Decimal& price) {
  const auto pico = price.times_ten_to(12 - 6).to_pico();
  return pico && *pico <= kUnitMax;
}

/// The prices of one table against those at the top of the sheet, `top`.
Result<> check_prices(const ClassPrices& prices, const ClassPrices& top, const std::string& prefix) {
  if (!prices.input) return fail_at(prefix + "input", "write the price of a million input tokens");
  if (!prices.output) return fail_at(prefix + "output", "write the price of a million output tokens");
  for (const auto& [name, price, unit] : kClassFields) {
    if ((prices.*price).has_value() != (top.*price).has_value()) {
      return fail_at(prefix + name, "write it both here and at the top, or nowhere");
    }
    if (prices.*price && !is_payable(*(prices.*price))) {
      return fail_at(prefix + name, "a price is at most 1000000000000 a million tokens, not {}",
                     (prices.*price)->to_string());
    }
  }
  return {};
}

Result<> check_table(const PriceTable& table, const ClassPrices& top, const std::string& prefix) {
  TRY(check_prices(table.prices, top, prefix));
  TokenCount before = 0;
  for (size_t i = 0; i < table.length_tiers.size(); ++i) {
    const LengthTier& length = table.length_tiers[i];
    const std::string path = fmt::format("{}length_tiers[{}].", prefix, i);
    TRY(check_threshold(length.from, before, path + "from"));
    TRY(check_prices(length.prices, top, path));
    before = length.from;
  }
  return {};
}

Result<> check_cache_factor(const std::optional<Decimal>& factor, const std::optional<Decimal>& price,
                            const std::string& name) {
  if (!factor) return {};
  if (price) return fail_at(name + "_factor", "write either it or {}", name);
  return check_factor(*factor, name + "_factor");
}

Result<> check_tier(ServiceTier tier, const TierPrice& price, const ClassPrices& top) {
  const std::string path = fmt::format("tiers.{}", name_of(tier));
  if (tier == ServiceTier::kDefault) return fail_at(path, "the prices at the top are those of default");
  if (const auto* factor = std::get_if<Decimal>(&price)) return check_factor(*factor, path);
  return check_table(std::get<PriceTable>(price), top, path + ".");
}

size_t row_count(const PriceSheet& sheet) {
  size_t tables = 1 + sheet.base.length_tiers.size();
  for (const auto& [tier, price] : sheet.tiers) {
    const auto* table = std::get_if<PriceTable>(&price);
    tables += 1 + (table == nullptr ? sheet.base : *table).length_tiers.size();
  }
  return tables * (1 + sheet.volume_tiers.size());
}

}  // namespace

Result<> check_sheet(const PriceSheet& sheet) {
  TRY(check_currencies(sheet));
  TRY(check_table(sheet.base, sheet.base.prices, ""));
  TRY(check_cache_factor(sheet.cache_read_factor, sheet.base.prices.cache_read, "cache_read"));
  TRY(check_cache_factor(sheet.cache_write_factor, sheet.base.prices.cache_write, "cache_write"));
  for (const auto& [tier, price] : sheet.tiers) TRY(check_tier(tier, price, sheet.base.prices));
  TokenCount before = 0;
  for (size_t i = 0; i < sheet.volume_tiers.size(); ++i) {
    const std::string path = fmt::format("volume_tiers[{}].", i);
    TRY(check_threshold(sheet.volume_tiers[i].from, before, path + "from"));
    TRY(check_factor(sheet.volume_tiers[i].factor, path + "factor"));
    before = sheet.volume_tiers[i].from;
  }
  if (row_count(sheet) > kRowsMax) {
    return fail(ErrorCode::kInvalidArgument,
                "service tiers × length tiers × volume tiers make {} rows, more than {}", row_count(sheet),
                kRowsMax);
  }
  return {};
}

}  // namespace feilun::pricing
