#pragma once

#include <simdjson.h>

#include <array>
#include <map>
#include <set>

#include "pricing/class_fields.h"
#include "pricing/price_import.h"

namespace feilun::pricing {

/// The prices by the token that a list gives for one model, collected in any order and with gaps, as such
/// lists have them, until a sheet is made of them. What a tier does not name above a length is the default
/// tier's above that length, and then its own below; a class no one names follows from the others as in every
/// sheet; where only input or only output has a price, the other is free.
class ReferenceSheet {
 public:
  /// The `index`-th of kClassFields in requests of at least `input_from` tokens, per million tokens.
  void set(ServiceTier tier, size_t index, TokenCount input_from, const Decimal& price);
  bool empty() const { return prices_.empty(); }
  /// kUnsupported when nothing was set.
  Result<PriceSheet> to_sheet() const;

 private:
  using ByLength = std::map<TokenCount, Decimal>;
  static constexpr size_t kClasses = kClassFields.size();

  const Decimal* find(ServiceTier tier, size_t index, TokenCount lowest, TokenCount highest) const;
  std::optional<Decimal> price_of(ServiceTier tier, size_t index, TokenCount input_from) const;
  ClassPrices prices_of(ServiceTier tier, TokenCount input_from) const;
  PriceTable table_of(ServiceTier tier) const;

  std::map<ServiceTier, std::array<ByLength, kClasses>> prices_;
  std::array<bool, kClasses> named_{};
};

/// The lists say above how many tokens a price applies; a row says from how many on. xAI's prices alone apply
/// at the number itself, by its own words.
TokenCount first_above(TokenCount tokens, std::string_view provider);

/// The readers of the two lists.
Result<std::vector<ReferencePrice>> read_litellm(simdjson::dom::element root);
Result<std::vector<ReferencePrice>> read_genai_prices(simdjson::dom::element root);

}  // namespace feilun::pricing
