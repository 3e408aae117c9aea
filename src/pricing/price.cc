#include "pricing/price.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/check.h"
#include "pricing/token_sum.h"

namespace feilun::pricing {
namespace {

constexpr std::array<std::string_view, 4> kTierNames = {"default", "priority", "flex", "batch"};

auto key_of(const PriceRow& row) {
  return std::tuple(row.tier, row.input_from, row.volume_from);
}

Result<> check_row(const PriceRow& row, size_t index) {
  if (static_cast<size_t>(row.tier) >= kTierNames.size()) {
    return fail(ErrorCode::kInvalidArgument, "row {}: no such tier", index);
  }
  if (row.input_from < 0 || row.volume_from < 0) {
    return fail(ErrorCode::kInvalidArgument, "row {}: a threshold is negative", index);
  }
  for (const Money unit : {row.units.input_fresh, row.units.cache_read, row.units.cache_write,
                           row.units.output, row.units.reasoning}) {
    if (unit.is_negative() || unit > kUnitMax) {
      return fail(ErrorCode::kInvalidArgument, "row {}: a price is from 0 to {} pico-units per token, not {}",
                  index, kUnitMax.to_pico_string(), unit.to_pico_string());
    }
  }
  return {};
}

/// The tier whose rows price a request of `tier`.
ServiceTier priced_as(const PriceVersion& price, ServiceTier tier) {
  const bool has_rows =
      std::ranges::any_of(price.rows, [tier](const PriceRow& row) { return row.tier == tier; });
  return has_rows ? tier : ServiceTier::kDefault;
}

/// The dearest of `unit_of` over the rows that a request of the tier can meet with at most `input_tokens`.
template <typename UnitOf>
Money worst_unit(const PriceVersion& price, ServiceTier tier, TokenCount input_tokens, UnitOf unit_of) {
  const ServiceTier priced = priced_as(price, tier);
  Money worst;
  for (const PriceRow& row : price.rows) {
    if (row.tier == priced && row.input_from <= input_tokens) worst = std::max(worst, unit_of(row.units));
  }
  return worst;
}

}  // namespace

TokenUsage& TokenUsage::operator+=(const TokenUsage& more) {
  input_fresh = add_tokens(input_fresh, more.input_fresh);
  cache_read = add_tokens(cache_read, more.cache_read);
  cache_write = add_tokens(cache_write, more.cache_write);
  output = add_tokens(output, more.output);
  reasoning = add_tokens(reasoning, more.reasoning);
  return *this;
}

std::string_view name_of(ServiceTier tier) {
  return kTierNames.at(static_cast<size_t>(tier));
}

Result<ServiceTier> parse_tier(std::string_view name) {
  const auto found = std::ranges::find(kTierNames, name);
  if (found == kTierNames.end()) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a tier: write default, priority, flex or batch",
                name);
  }
  return static_cast<ServiceTier>(found - kTierNames.begin());
}

Result<> check_rows(const PriceVersion& price) {
  const std::vector<PriceRow>& rows = price.rows;
  if (rows.size() > kRowsMax) {
    return fail(ErrorCode::kInvalidArgument, "{} rows are more than a price may have, {}", rows.size(),
                kRowsMax);
  }
  if (rows.empty() || rows[0].tier != ServiceTier::kDefault) {
    return fail(ErrorCode::kInvalidArgument, "there is no row for the tier default");
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    TRY(check_row(rows[i], i));
    const bool first_of_tier = i == 0 || rows[i].tier != rows[i - 1].tier;
    if (i > 0 && key_of(rows[i]) <= key_of(rows[i - 1])) {
      return fail(ErrorCode::kInvalidArgument,
                  "row {}: rows are sorted by tier, input_from and volume_from, each once", i);
    }
    if (first_of_tier && (rows[i].input_from != 0 || rows[i].volume_from != 0)) {
      return fail(ErrorCode::kInvalidArgument, "row {}: the first row of a tier starts at 0 input and volume",
                  i);
    }
  }
  return {};
}

size_t row_of(const PriceVersion& price, ServiceTier tier, TokenCount input_tokens, TokenCount volume) {
  const ServiceTier priced = priced_as(price, tier);
  for (size_t i = price.rows.size(); i-- > 0;) {
    const PriceRow& row = price.rows[i];
    if (row.tier == priced && row.input_from <= input_tokens && row.volume_from <= volume) return i;
  }
  CHECK(false && "every tier that has rows has one at 0 input and volume");
  return 0;
}

Money cost_of(const UnitPrices& units, const TokenUsage& usage) {
  return units.input_fresh * usage.input_fresh + units.cache_read * usage.cache_read +
         units.cache_write * usage.cache_write + units.output * usage.output +
         units.reasoning * usage.reasoning;
}

Money worst_input_unit(const PriceVersion& price, ServiceTier tier, TokenCount input_tokens) {
  return worst_unit(price, tier, input_tokens, [](const UnitPrices& units) {
    return std::max({units.input_fresh, units.cache_read, units.cache_write});
  });
}

Money worst_output_unit(const PriceVersion& price, ServiceTier tier, TokenCount input_tokens) {
  return worst_unit(price, tier, input_tokens,
                    [](const UnitPrices& units) { return std::max(units.output, units.reasoning); });
}

Result<Money> per_million(std::string_view text) {
  constexpr int128 kMillion = 1'000'000;
  const Money amount = TRY(Money::parse(text));
  if (amount.is_negative()) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a price: it is negative", text);
  }
  if (amount.pico() % kMillion != 0) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a price per million tokens: at most 6 decimals",
                text);
  }
  return Money::pico(amount.pico() / kMillion);
}

std::vector<PriceRow> flat_rows(const UnitPrices& units) {
  return {PriceRow{.units = units}};
}

}  // namespace feilun::pricing
