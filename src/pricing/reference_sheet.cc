#include "pricing/reference_sheet.h"

#include <limits>

namespace feilun::pricing {
namespace {

constexpr size_t kInput = 0;
constexpr size_t kOutput = 3;
static_assert(kClassFields[kInput].price == &ClassPrices::input);
static_assert(kClassFields[kOutput].price == &ClassPrices::output);

}  // namespace

TokenCount first_above(TokenCount tokens, std::string_view provider) {
  const bool inclusive = provider == "xai" || provider == "x-ai";
  return inclusive || tokens == std::numeric_limits<TokenCount>::max() ? tokens : tokens + 1;
}

void ReferenceSheet::set(ServiceTier tier, size_t index, TokenCount input_from, const Decimal& price) {
  prices_[tier][index][input_from] = price;
  named_[index] = true;
}

/// The price of the highest threshold in [lowest, highest] that names the class in the tier; null if none.
const Decimal* ReferenceSheet::find(ServiceTier tier, size_t index, TokenCount lowest,
                                    TokenCount highest) const {
  const auto found = prices_.find(tier);
  if (found == prices_.end()) return nullptr;
  const ByLength& by_length = found->second[index];
  const auto above = by_length.upper_bound(highest);
  if (above == by_length.begin() || std::prev(above)->first < lowest) return nullptr;
  return &std::prev(above)->second;
}

std::optional<Decimal> ReferenceSheet::price_of(ServiceTier tier, size_t index, TokenCount input_from) const {
  const Decimal* price = nullptr;
  for (const TokenCount lowest : {1, 0}) {
    for (const ServiceTier named : {tier, ServiceTier::kDefault}) {
      if (price == nullptr) price = find(named, index, lowest, input_from);
    }
  }
  return price == nullptr ? std::nullopt : std::optional(*price);
}

ClassPrices ReferenceSheet::prices_of(ServiceTier tier, TokenCount input_from) const {
  ClassPrices prices;
  prices.input = price_of(tier, kInput, input_from).value_or(Decimal());
  prices.output = price_of(tier, kOutput, input_from).value_or(Decimal());
  for (size_t i = 0; i < kClasses; ++i) {
    // A sheet names a class in every table or in none.
    const auto& follows = i < kOutput ? prices.input : prices.output;
    if (named_[i]) prices.*kClassFields[i].price = price_of(tier, i, input_from).value_or(*follows);
  }
  return prices;
}

PriceTable ReferenceSheet::table_of(ServiceTier tier) const {
  std::set<TokenCount> thresholds;
  for (const ServiceTier named : {ServiceTier::kDefault, tier}) {
    const auto found = prices_.find(named);
    if (found == prices_.end()) continue;
    for (const ByLength& by_length : found->second) {
      for (const auto& [input_from, price] : by_length) thresholds.insert(input_from);
    }
  }
  PriceTable table{.prices = prices_of(tier, 0)};
  for (const TokenCount from : thresholds) {
    if (from > 0) table.length_tiers.push_back({from, prices_of(tier, from)});
  }
  return table;
}

Result<PriceSheet> ReferenceSheet::to_sheet() const {
  if (empty()) return fail(ErrorCode::kUnsupported, "the list has no price by the token for it");
  PriceSheet sheet{.currency = "USD", .base = table_of(ServiceTier::kDefault)};
  for (const auto& [tier, prices] : prices_) {
    if (tier != ServiceTier::kDefault) sheet.tiers[tier] = table_of(tier);
  }
  TRY(check_sheet(sheet));
  return sheet;
}

}  // namespace feilun::pricing
