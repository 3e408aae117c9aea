#include <gtest/gtest.h>

#include "pricing/price.h"

namespace feilun::pricing {
namespace {

UnitPrices units(int64_t first) {
  return {Money::pico(first), Money::pico(first + 1), Money::pico(first + 2), Money::pico(first + 3),
          Money::pico(first + 4)};
}

PriceVersion example() {
  return {
      .offering = "qwen-turbo",
      .currency = "CNY",
      .organisation = "org_1",
      .rows = {{ServiceTier::kDefault, 0, 0, units(300'000)}, {ServiceTier::kBatch, 0, 0, units(150'000)}},
      .effective_from = WallTime(std::chrono::seconds(1'700'000'000)),
      .effective_until = WallTime(std::chrono::seconds(1'800'000'000))};
}

constexpr std::string_view kText =
    R"({"offering":"qwen-turbo","currency":"CNY","organisation":"org_1","from":1700000000000000,)"
    R"("until":1800000000000000,"rows":[{"tier":"default","input_from":0,"volume_from":0,"input":"300000",)"
    R"("cache_read":"300001","cache_write":"300002","output":"300003","reasoning":"300004"},{"tier":"batch",)"
    R"("input_from":0,"volume_from":0,"input":"150000","cache_read":"150001","cache_write":"150002",)"
    R"("output":"150003","reasoning":"150004"}]})";

std::string replaced(std::string_view what, std::string_view with) {
  std::string text(kText);
  const size_t at = text.find(what);
  EXPECT_NE(at, text.npos) << what;
  return text.replace(at, what.size(), with);
}

TEST(PriceJson, OneVersionHasOneText) {
  EXPECT_EQ(to_json(example()), kText);
  EXPECT_EQ(price_from_json(kText).value(), example());
}

TEST(PriceJson, ListPricesWithoutEndLeaveTheTwoFieldsOut) {
  PriceVersion price = example();
  price.organisation.clear();
  price.effective_until = WallTime::max();
  price.rows[0].units.input_fresh = kUnitMax;
  const std::string text = to_json(price);
  EXPECT_EQ(text.find("organisation"), text.npos);
  EXPECT_EQ(text.find("until"), text.npos);
  EXPECT_EQ(price_from_json(text).value(), price);
}

TEST(PriceJson, AConvertedVersionSaysTheRateAndItsMoment) {
  PriceVersion price = example();
  price.rate = Rate{"USD", "CNY", Decimal::parse("7.1937").value(), WallTime(std::chrono::seconds(5))};
  const std::string text = to_json(price);
  EXPECT_TRUE(
      text.contains(R"("rate":{"from":"USD","rate":"7.1937","since":5000000},"from":1700000000000000)"))
      << text;
  EXPECT_EQ(price_from_json(text).value(), price);
  for (const char* wrong : {R"("rate":{})", R"("rate":"7.1937")", R"("rate":{"from":"USD","rate":"7.1937"})",
                            R"("rate":{"from":"usd","rate":"7.1937","since":5})",
                            R"("rate":{"from":"USD","rate":"7.19370","since":5})"}) {
    EXPECT_FALSE(price_from_json(
        replaced(R"("from":1700000000000000)", std::string(wrong) + R"(,"from":1700000000000000)")))
        << wrong;
  }
}

TEST(PriceJson, NamesOfAnyCharactersComeBack) {
  PriceVersion price = example();
  price.offering = "千问 \"turbo\"\\\n\x01/飞轮";
  EXPECT_EQ(price_from_json(to_json(price)).value(), price);
}

TEST(PriceJson, RefusesEveryOtherSpelling) {
  const std::string wrong[] = {
      replaced(",\"currency\"", ", \"currency\""),
      replaced("\"300000\"", "\"0300000\""),
      replaced("\"300000\"", "300000"),
      replaced("\"300000\"", "\"-1\""),
      replaced("\"300000\"", "\"1000000000000000000000001\""),
      replaced("\"300000\"", "\"99999999999999999999999999\""),
      replaced("org_1", ""),
      replaced("CNY", "yuan"),
      replaced("\"tier\":\"default\"", "\"tier\":\"standard\""),
      replaced("\"from\":1700000000000000,", ""),
      replaced("\"from\":1700000000000000", "\"from\":1.7e15"),
      replaced("\"until\":1800000000000000", "\"until\":9223372036854775807"),
      replaced("\"input_from\":0", "\"input_from\":1"),
      replaced("\"offering\"", "\"note\":1,\"offering\""),
      replaced("\"rows\":[", "\"rows\":[[],"),
      std::string(kText) + "\n",
      "[]",
      "",
  };
  for (const std::string& text : wrong) {
    const auto price = price_from_json(text);
    ASSERT_FALSE(price) << text;
    EXPECT_EQ(price.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace feilun::pricing
