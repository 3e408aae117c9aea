// A provider's own account of one day of its service: the tokens of each class, its prices and the revenue
// they would have brought.
#include <gtest/gtest.h>

#include "pricing/price_preview.h"
#include "pricing/price_sheet.h"

namespace feilun::pricing {
namespace {

constexpr TokenCount kBillion = 1'000'000'000;
constexpr TokenUsage kDay{
    .input_fresh = 266 * kBillion, .cache_read = 342 * kBillion, .output = 168 * kBillion};
constexpr std::string_view kPrices =
    R"({"currency":"USD","input":"0.55","cache_read":"0.14","output":"2.19"})";

PriceVersion published_price() {
  const auto sheet = sheet_from_json(kPrices).value();
  return {.offering = "r1", .currency = "USD", .rows = resolve(sheet, {}, WallTime()).value()[0].rows};
}

TEST(PublishedDay, UsageAtTheListPriceBringsTheRevenueThatWasPublished) {
  const PriceVersion price = published_price();
  const Money revenue =
      cost_of(price.rows[row_of(price, ServiceTier::kDefault, kDay.input(), 0)].units, kDay);
  EXPECT_EQ(revenue, Money::parse("562100").value());  // of the token counts as they were rounded
  const Money published = Money::parse("562027").value();
  const Money off = revenue - published;
  EXPECT_LT(off * 1000, published);
  EXPECT_LT(-off * 1000, published);
}

TEST(PublishedDay, IsTheSameInAMillionRequests) {
  const PriceVersion price = published_price();
  constexpr TokenCount kRequests = 1'000'000;
  PreviewBuilder builder = PreviewBuilder::make({price}).value();
  for (TokenCount i = 0; i < kRequests; ++i) {
    builder.add({.customer = "all",
                 .customer_name = "",
                 .offering = "r1",
                 .currency = "USD",
                 .usage = {.input_fresh = kDay.input_fresh / kRequests,
                           .cache_read = kDay.cache_read / kRequests,
                           .output = kDay.output / kRequests},
                 .volume_before = i * 776'000});
  }
  EXPECT_EQ(builder.finish().totals[0].revenue.after, Money::parse("562100").value());
}

}  // namespace
}  // namespace feilun::pricing
