#include "pricing/price_sheet.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace feilun::pricing {
namespace {

constexpr auto kDefault = ServiceTier::kDefault;
constexpr auto kPriority = ServiceTier::kPriority;
constexpr auto kBatch = ServiceTier::kBatch;
constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 12 / 1}};

UnitPrices units(int64_t input, int64_t read, int64_t write, int64_t output, int64_t reasoning) {
  return {Money::pico(input), Money::pico(read), Money::pico(write), Money::pico(output),
          Money::pico(reasoning)};
}

/// The rows in the sheet's own currency.
std::vector<PriceRow> rows_of(std::string_view text) {
  const auto sheet = sheet_from_json(text);
  if (!sheet) {
    ADD_FAILURE() << sheet.error().message;
    return {};
  }
  return resolve(*sheet, {}, kNow).value().at(0).rows;
}

TEST(PriceSheet, TwoPricesAreEnough) {
  EXPECT_EQ(rows_of(R"({"currency":"CNY","input":"0.3","output":"0.6"})"),
            flat_rows(units(300'000, 300'000, 300'000, 600'000, 600'000)));
}

TEST(PriceSheet, NumbersAreReadAsTheyAreWritten) {
  EXPECT_EQ(rows_of(R"({"currency":"CNY","input":0.3,"output":6e-1,"cache_read_factor":1e-1})"),
            flat_rows(units(300'000, 30'000, 300'000, 600'000, 600'000)));
}

TEST(PriceSheet, NamedClassesAndFactorsOfTheInputPrice) {
  EXPECT_EQ(rows_of(R"({"currency":"CNY","input":"0.3","output":"0.6","cache_read":"0.03",
                        "cache_write_factor":"1.25","reasoning":"0.7"})"),
            flat_rows(units(300'000, 30'000, 375'000, 600'000, 700'000)));
}

TEST(PriceSheet, EveryChoiceOfTierLengthAndVolumeIsARow) {
  const auto rows = rows_of(R"({"currency":"CNY","input":"1","output":"2",
      "length_tiers":[{"from":32000,"input":"3","output":"4"}],
      "volume_tiers":[{"from":1000000000,"factor":"0.9"}],
      "tiers":{"batch":"0.5","priority":{"input":"10","output":"20","length_tiers":[]}}})");
  const auto flat = [](int64_t input, int64_t output) {
    return units(input * 1000, input * 1000, input * 1000, output * 1000, output * 1000);
  };
  EXPECT_EQ(rows, (std::vector<PriceRow>{{kDefault, 0, 0, flat(1000, 2000)},
                                         {kDefault, 0, 1'000'000'000, flat(900, 1800)},
                                         {kDefault, 32'000, 0, flat(3000, 4000)},
                                         {kDefault, 32'000, 1'000'000'000, flat(2700, 3600)},
                                         {kPriority, 0, 0, flat(10'000, 20'000)},
                                         {kPriority, 0, 1'000'000'000, flat(9000, 18'000)},
                                         {kBatch, 0, 0, flat(500, 1000)},
                                         {kBatch, 0, 1'000'000'000, flat(450, 900)},
                                         {kBatch, 32'000, 0, flat(1500, 2000)},
                                         {kBatch, 32'000, 1'000'000'000, flat(1350, 1800)}}));
}

TEST(PriceSheet, RoundsOnceAfterAllFactors) {
  // 0.000001 × 1.4 × 1.4 is 1.96 pico a token. Rounded after each factor it would be 1.
  const auto rows = rows_of(R"({"currency":"CNY","input":"0.000001","output":"0.000001",
      "tiers":{"priority":"1.4"},"volume_tiers":[{"from":1,"factor":"1.4"}]})");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[1].units.input_fresh.pico(), 1);
  EXPECT_EQ(rows[2].units.input_fresh.pico(), 1);
  EXPECT_EQ(rows[3].units.input_fresh.pico(), 2);
}

TEST(PriceSheet, AHalfPicoUnitIsRoundedUp) {
  const auto rows = rows_of(R"({"currency":"CNY","input":"0.000001","output":"0.0000004999",
      "tiers":{"batch":"0.5","flex":"0.4999"}})");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].units.output.pico(), 0);
  EXPECT_EQ(rows[1].tier, ServiceTier::kFlex);
  EXPECT_EQ(rows[1].units.input_fresh.pico(), 0);
  EXPECT_EQ(rows[2].units.input_fresh.pico(), 1);
}

TEST(PriceSheet, ConvertsToEachFurtherCurrencyAtTheRateOfTheMoment) {
  const auto sheet = sheet_from_json(R"({"currency":"CNY","also":["USD","EUR"],"input":"0.3","output":"0.6",
      "tiers":{"batch":"0.5"}})")
                         .value();
  const auto rates = rates_from_json(R"([{"from":"CNY","to":"USD","rate":"0.1","since":"2026-01-01"},
      {"from":"CNY","to":"USD","rate":"0.13888889","since":"2026-12-01"},
      {"from":"CNY","to":"USD","rate":"0.2","since":"2026-12-02"},
      {"from":"CNY","to":"EUR","rate":"0.125","since":"2026-01-01"}])")
                         .value();
  const auto resolved = resolve(sheet, rates, kNow).value();
  ASSERT_EQ(resolved.size(), 3u);
  EXPECT_EQ(resolved[0].currency, "CNY");
  EXPECT_FALSE(resolved[0].rate);
  EXPECT_EQ(resolved[1].currency, "USD");
  EXPECT_EQ(resolved[1].rate.value(), rates.rate_at("CNY", "USD", kNow).value());
  EXPECT_EQ(resolved[1].rows[0].units.input_fresh.pico(), 41'667);  // 41,666.667
  EXPECT_EQ(resolved[1].rows[1].units.input_fresh.pico(), 20'833);  // 20,833.3335: not half of 41,667
  EXPECT_EQ(resolved[2].currency, "EUR");
  EXPECT_EQ(resolved[2].rows[0].units.output.pico(), 75'000);

  const auto without = resolve(sheet, {}, kNow);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, ErrorCode::kNotFound);
}

TEST(PriceSheet, EveryUnitIsTheNearestIntegerToTheExactProduct) {
  // Five numbers of two decimals each: 10¹⁰ of their product are one pico-unit.
  std::mt19937_64 random(9);
  const auto hundredths = [&random](uint64_t below) { return static_cast<int64_t>(random() % below) + 1; };
  const auto text = [](int64_t number) { return fmt::format("{}.{:02}", number / 100, number % 100); };
  for (int i = 0; i < 5'000; ++i) {
    const int64_t input = hundredths(1'000), read = hundredths(200), tier = hundredths(300),
                  volume = hundredths(100), rate = hundredths(800);
    const auto sheet = sheet_from_json(fmt::format(
        R"({{"currency":"CNY","also":["USD"],"input":"{}e-6","output":"1","cache_read_factor":"{}",
            "tiers":{{"flex":"{}"}},"volume_tiers":[{{"from":1,"factor":"{}"}}]}})",
        text(input), text(read), text(tier), text(volume)));
    ASSERT_TRUE(sheet) << sheet.error().message;
    ExchangeRates rates;
    ASSERT_TRUE(rates.add({"CNY", "USD", Decimal::parse(text(rate)).value(), kNow}));
    const auto resolved = resolve(*sheet, rates, kNow).value();
    const int128 product = int128{input} * read * tier * volume * rate;
    constexpr int128 kUnit = 10'000'000'000;
    const int128 unit = resolved[1].rows[3].units.cache_read.pico();
    ASSERT_LE(unit * kUnit - product, kUnit / 2);
    ASSERT_LT(product - unit * kUnit, kUnit / 2);
  }
}

TEST(PriceSheet, ExamplesOfThePageAreAccepted) {
  const auto page = std::filesystem::path(FEILUN_SOURCE_DIR) / "docs/prices.md";
  std::ifstream file(page);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  constexpr std::string_view kBegin = "```json\n", kEnd = "```";
  int examples = 0;
  for (size_t at = text.find(kBegin); at != text.npos; at = text.find(kBegin, at + 1), ++examples) {
    const size_t begin = at + kBegin.size();
    const std::string example = text.substr(begin, text.find(kEnd, begin) - begin);
    if (example.starts_with('[')) {
      EXPECT_TRUE(rates_from_json(example)) << example;
    } else {
      const auto sheet = sheet_from_json(example);
      EXPECT_TRUE(sheet) << (sheet ? "" : sheet.error().message) << example;
    }
  }
  EXPECT_EQ(examples, 3);
}

TEST(PriceSheet, ProductsWithTooManyDigitsAreRefusedNotApproximated) {
  const auto sheet = sheet_from_json(R"({"currency":"CNY","input":"1.23456789012345678901","output":"1",
      "tiers":{"batch":"0.12345678901234567890123"}})")
                         .value();
  const auto resolved = resolve(sheet, {}, kNow);
  ASSERT_FALSE(resolved);
  EXPECT_EQ(resolved.error().code, ErrorCode::kInvalidArgument);
}

TEST(PriceSheet, ErrorsNameTheFieldAndSayWhatToWrite) {
  const auto param = [](std::string_view rest) {
    const auto sheet = sheet_from_json(R"({"currency":"CNY","input":"1",)" + std::string(rest) + "}");
    if (!sheet) EXPECT_FALSE(sheet.error().message.empty());
    return sheet ? "accepted" : sheet.error().param;
  };
  EXPECT_EQ(param(R"("output":"2")"), "accepted");
  EXPECT_EQ(param(R"("inputs":"2")"), "inputs");
  EXPECT_EQ(param(R"("cache_read":"2")"), "output");
  EXPECT_EQ(param(R"("output":"-2")"), "output");
  EXPECT_EQ(param(R"("output":true)"), "output");
  EXPECT_EQ(param(R"("output":"1e12")"), "accepted");
  EXPECT_EQ(param(R"("output":"1.1e12")"), "output");
  EXPECT_EQ(param(R"("output":"2","output":"3")"), "output");
  EXPECT_EQ(param(R"("output":"2","also":"USD")"), "also");
  EXPECT_EQ(param(R"("output":"2","also":["USD","CNY"])"), "also[1]");
  EXPECT_EQ(param(R"("output":"2","also":["usd"])"), "also[0]");
  EXPECT_EQ(param(R"("output":"2","cache_read":"1","cache_read_factor":"0.1")"), "cache_read_factor");
  EXPECT_EQ(param(R"("output":"2","cache_write_factor":"125")"), "cache_write_factor");
  EXPECT_EQ(param(R"("output":"2","tiers":{"standard":"1"})"), "tiers.standard");
  EXPECT_EQ(param(R"("output":"2","tiers":{"default":"1"})"), "tiers.default");
  EXPECT_EQ(param(R"("output":"2","tiers":{"batch":"10"})"), "accepted");
  EXPECT_EQ(param(R"("output":"2","tiers":{"batch":"50"})"), "tiers.batch");
  EXPECT_EQ(param(R"("output":"2","tiers":{"batch":"10.01"})"), "tiers.batch");
  EXPECT_EQ(param(R"("output":"2","tiers":{"batch":{"input":"1"}})"), "tiers.batch.output");
  EXPECT_EQ(param(R"("output":"2","length_tiers":[{"from":0,"input":"1","output":"1"}])"),
            "length_tiers[0].from");
  EXPECT_EQ(param(R"("output":"2","length_tiers":[{"from":9,"input":"1","output":"1"},
                                                  {"from":9,"input":"1","output":"1"}])"),
            "length_tiers[1].from");
  EXPECT_EQ(param(R"("output":"2","length_tiers":[{"from":9.5,"input":"1","output":"1"}])"),
            "length_tiers[0].from");
  EXPECT_EQ(param(R"("output":"2","cache_read":"1","length_tiers":[{"from":9,"input":"1","output":"1"}])"),
            "length_tiers[0].cache_read");
  EXPECT_EQ(param(R"("output":"2","tiers":{"batch":{"input":"1","output":"1"}},
                     "length_tiers":[{"from":9,"input":"1","output":"1"}])"),
            "tiers.batch.length_tiers");
  EXPECT_EQ(param(R"("output":"2","volume_tiers":[{"from":9}])"), "volume_tiers[0].factor");
  EXPECT_EQ(param(R"("output":"2","volume_tiers":[{"from":9,"factor":"0.9","to":"10"}])"),
            "volume_tiers[0].to");
  EXPECT_EQ(sheet_from_json("[]").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(sheet_from_json("{").error().code, ErrorCode::kInvalidArgument);
}

TEST(PriceSheet, RefusesMoreRowsThanAVersionHoldsBeforeMakingThem) {
  PriceSheet sheet{.currency = "CNY"};
  sheet.base.prices = {.input = Decimal::one(), .output = Decimal::one()};
  for (TokenCount from = 1; from < 16; ++from) {
    sheet.base.length_tiers.push_back({from, sheet.base.prices});
    sheet.volume_tiers.push_back({from, Decimal::one()});
  }
  EXPECT_EQ(resolve(sheet, {}, kNow).value()[0].rows.size(), kRowsMax);
  sheet.volume_tiers.push_back({16, Decimal::one()});
  EXPECT_FALSE(check_sheet(sheet));
  EXPECT_FALSE(resolve(sheet, {}, kNow));
}

TEST(PriceSheet, IsReadBackFromItsText) {
  for (
      const char* text :
      {R"({"currency":"CNY","input":"0.3","output":"0.6"})",
       R"({"currency":"CNY","also":["USD"],"input":"0.3","output":"0.6","length_tiers":[{"from":32000,"input":"1","output":"2"}],"cache_read_factor":"0.1","cache_write_factor":"1.25","tiers":{"priority":{"input":"3","output":"4","length_tiers":[]},"batch":"0.5"},"volume_tiers":[{"from":1000000000,"factor":"0.9"}]})"}) {
    const auto sheet = sheet_from_json(text);
    ASSERT_TRUE(sheet) << sheet.error().message;
    EXPECT_EQ(to_json(*sheet), text);
    EXPECT_EQ(sheet_from_json(to_json(*sheet)).value(), *sheet);
  }
}

}  // namespace
}  // namespace feilun::pricing
