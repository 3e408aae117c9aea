#include "pricing/price_preview.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/json.h"
#include "pricing/price_sheet.h"

namespace feilun::pricing {
namespace {

constexpr WallTime kOctober{std::chrono::sys_days{std::chrono::year{2026} / 10 / 1}};

PriceVersion version(std::string_view sheet, std::string offering, std::string organisation = "") {
  const auto parsed = sheet_from_json(sheet).value();
  return {.offering = std::move(offering),
          .currency = parsed.currency,
          .organisation = std::move(organisation),
          .rows = resolve(parsed, {}, kOctober).value()[0].rows};
}

SettledUsage settled(std::string customer, std::string offering, TokenCount input, int64_t charged_pico) {
  return {.customer = customer,
          .customer_name = "Name of " + customer,
          .offering = std::move(offering),
          .currency = "CNY",
          .usage = {.input_fresh = input},
          .charged = Money::pico(charged_pico),
          .time = kOctober};
}

PricePreview preview_of(std::vector<PriceVersion> candidates, const std::vector<SettledUsage>& month) {
  PreviewBuilder builder = PreviewBuilder::make(std::move(candidates)).value();
  for (const SettledUsage& usage : month) builder.add(usage);
  return builder.finish();
}

constexpr std::string_view kNew = R"({"currency":"CNY","input":"0.2","output":"0.4","tiers":{"batch":"0.5"},
    "length_tiers":[{"from":100,"input":"0.3","output":"0.6"}],"volume_tiers":[{"from":1000,"factor":"0.5"}]})";

TEST(PricePreview, RepricesEachRequestByItsOwnTierLengthAndVolume) {
  std::vector<SettledUsage> month;
  month.push_back(settled("a", "turbo", 10, 3'000'000));
  month.push_back(settled("a", "turbo", 100, 30'000'000));
  month.push_back(settled("a", "turbo", 10, 3'000'000));
  month.back().tier = ServiceTier::kBatch;
  month.push_back(settled("a", "turbo", 10, 3'000'000));
  month.back().volume_before = 1000;
  const PricePreview preview = preview_of({version(kNew, "turbo")}, month);
  ASSERT_EQ(preview.lines.size(), 1u);
  const Revenue& revenue = preview.lines[0].revenue;
  EXPECT_EQ(revenue.requests, 4);
  EXPECT_EQ(revenue.tokens, 130);
  EXPECT_EQ(revenue.before.pico(), 39'000'000);
  EXPECT_EQ(revenue.after.pico(), 2'000'000 + 30'000'000 + 1'000'000 + 1'000'000);
  EXPECT_EQ(preview.totals[0].revenue, revenue);
}

TEST(PricePreview, ContractsComeBeforeTheListAndTheRestKeepsItsCharge) {
  const PricePreview preview =
      preview_of({version(R"({"currency":"CNY","input":"0.2","output":"0.4"})", "turbo"),
                  version(R"({"currency":"CNY","input":"0.1","output":"0.1"})", "turbo", "b"),
                  version(R"({"currency":"USD","input":"9","output":"9"})", "plus")},
                 {settled("a", "turbo", 10, 3'000'000), settled("b", "turbo", 10, 3'000'000),
                  settled("b", "plus", 10, 5'000'000)});
  ASSERT_EQ(preview.lines.size(), 3u);
  EXPECT_EQ(preview.lines[0].customer, "b");  // the greatest loss first
  EXPECT_EQ(preview.lines[0].revenue.after.pico(), 1'000'000);
  EXPECT_EQ(preview.lines[1].customer, "a");
  EXPECT_EQ(preview.lines[1].revenue.after.pico(), 2'000'000);
  EXPECT_EQ(preview.lines[2].offering, "plus");
  EXPECT_FALSE(preview.lines[2].repriced);
  EXPECT_EQ(preview.lines[2].revenue.after.pico(), 5'000'000);
}

TEST(PricePreview, CurrenciesAreNeverAdded) {
  SettledUsage dollars = settled("a", "turbo", 10, 7);
  dollars.currency = "USD";
  const PricePreview preview = preview_of({}, {settled("a", "turbo", 10, 5), dollars});
  ASSERT_EQ(preview.totals.size(), 2u);
  EXPECT_EQ(preview.totals[0].currency, "CNY");
  EXPECT_EQ(preview.totals[0].revenue.before.pico(), 5);
  EXPECT_EQ(preview.totals[1].revenue.after.pico(), 7);
}

TEST(PricePreview, TheSamePricesChangeNothing) {
  std::mt19937_64 random(8);
  const PriceVersion price = version(kNew, "turbo");
  std::vector<SettledUsage> month;
  for (int i = 0; i < 2'000; ++i) {
    const auto count = [&random](uint64_t below) { return static_cast<TokenCount>(random() % below); };
    SettledUsage usage = settled("customer" + std::to_string(random() % 9), "turbo", count(200), 0);
    usage.usage.cache_read = count(50);
    usage.usage.output = count(300);
    usage.usage.reasoning = count(30);
    usage.tier = static_cast<ServiceTier>(random() % 4);
    usage.volume_before = count(2'000);
    const size_t row = row_of(price, usage.tier, usage.usage.input(), usage.volume_before);
    usage.charged = cost_of(price.rows[row].units, usage.usage);
    month.push_back(usage);
  }
  const PricePreview preview = preview_of({price}, month);
  EXPECT_EQ(preview.lines.size(), 9u);
  Money sum;
  for (const PreviewLine& line : preview.lines) {
    EXPECT_EQ(line.revenue.before, line.revenue.after);
    EXPECT_EQ(line.revenue.change_percent(), "0.00");
    sum += line.revenue.after;
  }
  EXPECT_EQ(preview.totals[0].revenue.after, sum);

  std::ranges::shuffle(month, random);
  EXPECT_EQ(to_json(preview_of({price}, month)), to_json(preview));
}

TEST(PricePreview, PercentIsTheExactFractionToTwoDecimals) {
  const auto percent = [](int128 before, int128 after) {
    return Revenue{.before = Money::pico(before), .after = Money::pico(after)}.change_percent();
  };
  EXPECT_EQ(percent(3, 2), "-33.33");
  EXPECT_EQ(percent(3, 1), "-66.67");
  EXPECT_EQ(percent(3, 4), "33.33");
  EXPECT_EQ(percent(2000, 0), "-100.00");
  EXPECT_EQ(percent(20'000, 20'001), "0.01");  // 0.005 %: half away from zero
  EXPECT_EQ(percent(20'000, 19'999), "-0.01");
  EXPECT_EQ(percent(20'001, 20'002), "0.00");
  EXPECT_EQ(percent(20'001, 20'000), "0.00");
  EXPECT_EQ(percent(1, 1'000), "99900.00");
  EXPECT_EQ(percent(0, 1'000), "");
  EXPECT_EQ(percent(-4, -5), "25.00");
  EXPECT_EQ(percent(-4, 4), "-200.00");
  const int128 large = int128{100'000'000'000'000'000} * 1'000'000'000'000'000;  // 10³² pico: 10²⁰ units
  EXPECT_EQ(percent(large, large / 100 * 15), "-85.00");
}

TEST(PricePreview, RefusesTwoPricesForTheSameRequests) {
  const auto twice = PreviewBuilder::make({version(kNew, "turbo"), version(kNew, "turbo")});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, ErrorCode::kConflict);
  EXPECT_FALSE(PreviewBuilder::make({PriceVersion{.offering = "turbo", .currency = "CNY"}}));
  EXPECT_TRUE(PreviewBuilder::make({version(kNew, "turbo"), version(kNew, "turbo", "a")}));
}

TEST(PricePreview, IsATableWithTheTotalLast) {
  SettledUsage wide = settled("b", "turbo", 20, 0);
  wide.customer_name = "飞轮";
  wide.time += std::chrono::hours(24 * 30);
  const PricePreview preview =
      preview_of({version(R"({"currency":"CNY","input":"0.2","output":"0"})", "turbo")},
                 {settled("a", "turbo", 10, 3'000'000), wide, settled("a", "max", 1, 1'000'000'000'000)});
  EXPECT_EQ(to_table(preview),
            "requests from 2026-10-01T00:00:00Z to 2026-10-31T00:00:00Z\n"
            "\n"
            "CNY\n"
            "customer   offering  requests  tokens    before     after    change\n"
            "Name of a  turbo            1      10  0.000003  0.000002  -33.33 %\n"
            "Name of a  max *            1       1      1.00      1.00    0.00 %\n"
            "飞轮       turbo            1      20      0.00  0.000004       new\n"
            "total                       3      31  1.000003  1.000006    0.00 %\n"
            "* keeps its price: none of the new prices is for it\n");
  EXPECT_EQ(to_table({}), "no requests to price\n");
}

TEST(PricePreview, IsJsonWithExactAmounts) {
  const PricePreview preview =
      preview_of({version(R"({"currency":"CNY","input":"0.2","output":"0"})", "turbo")},
                 {settled("a", "turbo", 10, 3'000'000)});
  EXPECT_EQ(to_json(preview),
            R"({"first":"2026-10-01T00:00:00Z","last":"2026-10-01T00:00:00Z","totals":[{"requests":1,)"
            R"("tokens":10,"before_pico":"3000000","after_pico":"2000000","change_percent":"-33.33",)"
            R"("currency":"CNY"}],"lines":[{"requests":1,"tokens":10,"before_pico":"3000000",)"
            R"("after_pico":"2000000","change_percent":"-33.33","currency":"CNY","customer":"a",)"
            R"("customer_name":"Name of a","offering":"turbo","repriced":true}]})");
  EXPECT_TRUE(JsonDocument::parse(to_json(PricePreview{})));
}

}  // namespace
}  // namespace feilun::pricing
