#include "pricing/exchange_rates.h"

#include <gtest/gtest.h>

namespace feilun::pricing {
namespace {

using std::chrono::milliseconds;

constexpr WallTime kDecember{std::chrono::sys_days{std::chrono::year{2026} / 12 / 1}};
constexpr WallTime kJanuary{std::chrono::sys_days{std::chrono::year{2027} / 1 / 1}};

ExchangeRates example() {
  return rates_from_json(R"([
    {"from":"CNY","to":"USD","rate":"0.1401","since":"2027-01-01T00:00:00Z"},
    {"from":"CNY","to":"USD","rate":"0.1389","since":"2026-12-01"},
    {"from":"USD","to":"CNY","rate":7.2,"since":"2026-12-01"}])")
      .value();
}

std::string rate(std::string_view from, std::string_view to, WallTime at) {
  const auto found = example().rate_at(from, to, at);
  return found ? found->rate.to_string() : found.error().message;
}

TEST(ExchangeRates, HoldFromTheirMomentUntilTheNextBegins) {
  EXPECT_EQ(rate("CNY", "USD", kDecember), "0.1389");
  EXPECT_EQ(rate("CNY", "USD", kJanuary - milliseconds(1)), "0.1389");
  EXPECT_EQ(rate("CNY", "USD", kJanuary), "0.1401");
  EXPECT_EQ(rate("CNY", "USD", kJanuary + milliseconds(1)), "0.1401");
  EXPECT_EQ(rate("CNY", "USD", WallTime::max()), "0.1401");
}

TEST(ExchangeRates, SaySinceWhenTheyHold) {
  EXPECT_EQ(example().rate_at("CNY", "USD", kJanuary - milliseconds(1))->since, kDecember);
  EXPECT_EQ(example().rate_at("CNY", "USD", WallTime::max())->since, kJanuary);
}

TEST(ExchangeRates, NoneIsInForceBeforeTheFirst) {
  const auto before = example().rate_at("CNY", "USD", kDecember - milliseconds(1));
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, ErrorCode::kNotFound);
  EXPECT_NE(before.error().message.find("CNY to USD"), std::string::npos);
}

TEST(ExchangeRates, AreOfOneDirectionAndOneToItself) {
  EXPECT_EQ(rate("USD", "CNY", kDecember), "7.2");
  EXPECT_EQ(rate("EUR", "EUR", WallTime::min()), "1");
  EXPECT_FALSE(example().rate_at("USD", "EUR", kJanuary));
  ExchangeRates one_way;
  ASSERT_TRUE(one_way.add({"CNY", "USD", Decimal::parse("0.14").value(), kDecember}));
  EXPECT_FALSE(one_way.rate_at("USD", "CNY", kJanuary));
}

TEST(ExchangeRates, RefuseASecondRateOfTheSameMoment) {
  ExchangeRates rates = example();
  const auto again = rates.add({"CNY", "USD", Decimal::one(), kDecember});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_EQ(rates.rate_at("CNY", "USD", kDecember).value().rate.to_string(), "0.1389");
}

TEST(ExchangeRates, ErrorsNameTheField) {
  const auto param = [](const char* text) {
    const auto rates = rates_from_json(text);
    return rates ? "accepted" : rates.error().param;
  };
  EXPECT_EQ(param(R"([{"from":"CNY","to":"USD","rate":"0.1","since":"1 December"}])"), "[0].since");
  EXPECT_EQ(param(R"([{"from":"CNY","to":"USD","rate":"-0.1","since":"2026-12-01"}])"), "[0].rate");
  EXPECT_EQ(param(R"([{"from":"CNY","to":"USD","rate":"0","since":"2026-12-01"}])"), "[0]");
  EXPECT_EQ(param(R"([{"from":"CNY","to":"CNY","rate":"1","since":"2026-12-01"}])"), "[0]");
  EXPECT_EQ(param(R"([{"from":"cny","to":"USD","rate":"1","since":"2026-12-01"}])"), "[0]");
  EXPECT_EQ(param(R"([{"to":"USD","rate":"1","since":"2026-12-01"}])"), "[0].from");
  EXPECT_EQ(param(R"([{"from":"CNY","to":"USD","rate":"1","since":"2026-12-01","until":""}])"), "[0].until");
  EXPECT_FALSE(rates_from_json("{}"));
  EXPECT_FALSE(rates_from_json("[3]"));
  EXPECT_TRUE(rates_from_json("[]"));
}

}  // namespace
}  // namespace feilun::pricing
