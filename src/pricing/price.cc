#include "pricing/price.h"

#include <algorithm>

namespace feilun::pricing {

Money cost_of(const PriceVersion& price, const TokenUsage& usage) {
  return price.input_fresh * usage.input_fresh + price.cache_read * usage.cache_read +
         price.cache_write * usage.cache_write + price.output * usage.output +
         price.reasoning * usage.reasoning;
}

Money worst_input_cost(const PriceVersion& price, TokenCount tokens) {
  return std::max({price.input_fresh, price.cache_read, price.cache_write}) * tokens;
}

Money worst_output_unit(const PriceVersion& price) {
  return std::max(price.output, price.reasoning);
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

}  // namespace feilun::pricing
