#include "pricing/price.h"

#include <gtest/gtest.h>

namespace feilun::pricing {
namespace {

PriceVersion example() {
  PriceVersion price;
  price.offering = "nano";
  price.currency = "CNY";
  price.input_fresh = Money::pico(300'000);
  price.cache_read = Money::pico(30'000);
  price.cache_write = Money::pico(375'000);
  price.output = Money::pico(600'000);
  price.reasoning = Money::pico(700'000);
  return price;
}

TEST(Price, CostsEachTokenClassAtItsOwnUnit) {
  const TokenUsage usage{
      .input_fresh = 1, .cache_read = 10, .cache_write = 100, .output = 1000, .reasoning = 10000};
  EXPECT_EQ(cost_of(example(), usage).pico(),
            1 * 300'000 + 10 * 30'000 + 100 * 375'000 + int128{1000} * 600'000 + int128{10000} * 700'000);
  EXPECT_TRUE(cost_of(example(), {}).is_zero());
}

TEST(Price, WorstCaseBoundsEveryClassTheTokensMayTurnOutToBe) {
  const PriceVersion price = example();
  EXPECT_EQ(worst_input_cost(price, 7).pico(), 7 * 375'000);
  EXPECT_EQ(worst_output_unit(price).pico(), 700'000);
  EXPECT_TRUE(worst_input_cost(price, 0).is_zero());
  for (const TokenUsage& usage :
       {TokenUsage{.input_fresh = 7}, TokenUsage{.cache_read = 7}, TokenUsage{.cache_write = 7},
        TokenUsage{.input_fresh = 3, .cache_write = 4}}) {
    EXPECT_LE(cost_of(price, usage), worst_input_cost(price, usage.input()));
  }
}

TEST(Price, SumsPastSixtyFourBitsStayExact) {
  PriceVersion price = example();
  price.input_fresh = Money::pico(int128{1'000'000'000'000'000'000});
  const TokenUsage usage{.input_fresh = 1'000'000'000'000, .output = 1};
  EXPECT_EQ(cost_of(price, usage).to_pico_string(), "1000000000000000000000000600000");
}

TEST(Price, ReadsPricesPerMillionTokensExactly) {
  EXPECT_EQ(per_million("0.3").value().pico(), 300'000);
  EXPECT_EQ(per_million("0.000001").value().pico(), 1);
  EXPECT_EQ(per_million("0").value().pico(), 0);
  EXPECT_EQ(per_million("15").value().pico(), 15'000'000);
}

TEST(Price, RefusesPricesThatAreNotWholePicoUnits) {
  for (const char* text : {"0.0000001", "-0.3", "-0.000001", "free", "", "1e3"}) {
    const auto price = per_million(text);
    ASSERT_FALSE(price) << text;
    EXPECT_EQ(price.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace feilun::pricing
