#include "pricing/price.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

namespace feilun::pricing {
namespace {

constexpr auto kDefault = ServiceTier::kDefault;
constexpr auto kPriority = ServiceTier::kPriority;
constexpr auto kFlex = ServiceTier::kFlex;
constexpr auto kBatch = ServiceTier::kBatch;

UnitPrices flat(int64_t pico) {
  const Money unit = Money::pico(pico);
  return {.input_fresh = unit, .cache_read = unit, .cache_write = unit, .output = unit, .reasoning = unit};
}

UnitPrices example_units() {
  return {.input_fresh = Money::pico(300'000),
          .cache_read = Money::pico(30'000),
          .cache_write = Money::pico(375'000),
          .output = Money::pico(600'000),
          .reasoning = Money::pico(700'000)};
}

PriceVersion version_of(std::vector<PriceRow> rows) {
  return {.offering = "nano", .currency = "CNY", .rows = std::move(rows)};
}

/// Two length tiers with two volume tiers each, a batch tier that is flat, no other.
PriceVersion tiered() {
  return version_of({{kDefault, 0, 0, flat(10)},
                     {kDefault, 0, 1000, flat(9)},
                     {kDefault, 32, 0, flat(20)},
                     {kDefault, 32, 1000, flat(18)},
                     {kBatch, 0, 0, flat(5)}});
}

TEST(Price, CostsEachTokenClassAtItsOwnUnit) {
  const TokenUsage usage{
      .input_fresh = 1, .cache_read = 10, .cache_write = 100, .output = 1000, .reasoning = 10000};
  EXPECT_EQ(cost_of(example_units(), usage).pico(),
            1 * 300'000 + 10 * 30'000 + 100 * 375'000 + int128{1000} * 600'000 + int128{10000} * 700'000);
  EXPECT_TRUE(cost_of(example_units(), {}).is_zero());
}

TEST(Price, SumsPastSixtyFourBitsStayExact) {
  UnitPrices units = example_units();
  units.input_fresh = Money::pico(int128{1'000'000'000'000'000'000});
  const TokenUsage usage{.input_fresh = 1'000'000'000'000, .output = 1};
  EXPECT_EQ(cost_of(units, usage).to_pico_string(), "1000000000000000000000000600000");
}

TEST(Price, InputThresholdIsReachedAtItsOwnTokenNotBefore) {
  const PriceVersion price = tiered();
  EXPECT_EQ(row_of(price, kDefault, 31, 0), 0u);
  EXPECT_EQ(row_of(price, kDefault, 32, 0), 2u);
  EXPECT_EQ(row_of(price, kDefault, 33, 0), 2u);
}

TEST(Price, VolumeThresholdIsReachedAtItsOwnTokenNotBefore) {
  const PriceVersion price = tiered();
  EXPECT_EQ(row_of(price, kDefault, 0, 999), 0u);
  EXPECT_EQ(row_of(price, kDefault, 0, 1000), 1u);
  EXPECT_EQ(row_of(price, kDefault, 0, 1001), 1u);
  EXPECT_EQ(row_of(price, kDefault, 32, 999), 2u);
  EXPECT_EQ(row_of(price, kDefault, 32, 1000), 3u);
  EXPECT_EQ(row_of(price, kDefault, std::numeric_limits<int64_t>::max(), 1001), 3u);
}

TEST(Price, TierWithoutRowsIsPricedAsDefault) {
  const PriceVersion price = tiered();
  EXPECT_EQ(row_of(price, kPriority, 32, 1000), 3u);
  EXPECT_EQ(row_of(price, kFlex, 0, 0), 0u);
  EXPECT_EQ(row_of(price, kBatch, 1'000'000, 1'000'000), 4u);
  EXPECT_EQ(worst_input_unit(price, kPriority, 32).pico(), 20);
  EXPECT_EQ(worst_input_unit(price, kBatch, 32).pico(), 5);
}

TEST(Price, InputThresholdDecidesBeforeVolumeWhereRowsAreNoGrid) {
  const PriceVersion price =
      version_of({{kDefault, 0, 0, flat(10)}, {kDefault, 0, 50, flat(9)}, {kDefault, 32, 100, flat(7)}});
  EXPECT_EQ(row_of(price, kDefault, 32, 99), 1u);
  EXPECT_EQ(row_of(price, kDefault, 32, 49), 0u);
  EXPECT_EQ(row_of(price, kDefault, 32, 100), 2u);
}

TEST(Price, WorstCaseCoversShorterInputsAndEveryVolume) {
  // The longer input is the cheaper here, and so is the lower volume.
  const PriceVersion price =
      version_of({{kDefault, 0, 0, flat(10)}, {kDefault, 0, 1000, flat(12)}, {kDefault, 32, 0, flat(1)}});
  EXPECT_EQ(worst_input_unit(price, kDefault, 31).pico(), 12);
  EXPECT_EQ(worst_input_unit(price, kDefault, 32).pico(), 12);
  EXPECT_EQ(worst_output_unit(tiered(), kDefault, 31).pico(), 10);
  EXPECT_EQ(worst_output_unit(tiered(), kDefault, 32).pico(), 20);
}

TEST(Price, WorstCaseIsOfTheDearestClass) {
  const PriceVersion price = version_of(flat_rows(example_units()));
  EXPECT_EQ(worst_input_unit(price, kDefault, 7).pico(), 375'000);
  EXPECT_EQ(worst_output_unit(price, kDefault, 7).pico(), 700'000);
}

/// Sorted, distinct rows with (0, 0) for default and for each other tier that has any; thresholds are few,
/// so that random usages often fall on them.
PriceVersion random_version(std::mt19937_64& random) {
  const auto unit = [&random] { return Money::pico(static_cast<int64_t>(random() % 1'000)); };
  PriceVersion price = version_of({});
  for (const ServiceTier tier : {kDefault, kPriority, kFlex, kBatch}) {
    if (tier != kDefault && random() % 2 == 0) continue;
    for (TokenCount input_from = 0; input_from < 4; ++input_from) {
      for (TokenCount volume_from = 0; volume_from < 4; ++volume_from) {
        if (input_from + volume_from > 0 && random() % 2 == 0) continue;
        price.rows.push_back({tier, input_from, volume_from, {unit(), unit(), unit(), unit(), unit()}});
      }
    }
  }
  return price;
}

TEST(Price, NoUsageCostsMoreThanItsWorstCase) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 5'000; ++i) {
    const PriceVersion price = random_version(random);
    ASSERT_TRUE(check_rows(price));
    for (int j = 0; j < 40; ++j) {
      const auto tier = static_cast<ServiceTier>(random() % 4);
      const auto count = [&random] { return static_cast<TokenCount>(random() % 3); };
      const TokenUsage usage{count(), count(), count(), count(), count()};
      const TokenCount held_input = usage.input() + count();
      const size_t row = row_of(price, tier, usage.input(), static_cast<TokenCount>(random() % 5));
      const Money worst = worst_input_unit(price, tier, held_input) * usage.input() +
                          worst_output_unit(price, tier, held_input) * usage.total_output();
      ASSERT_LE(cost_of(price.rows[row].units, usage), worst);
    }
  }
}

TEST(Price, WorstCaseIsReachedBySomeRequest) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 1'000; ++i) {
    const PriceVersion price = random_version(random);
    const auto tier = static_cast<ServiceTier>(random() % 4);
    Money dearest;
    for (TokenCount input = 0; input <= 2; ++input) {
      for (TokenCount volume = 0; volume < 4; ++volume) {
        const UnitPrices& units = price.rows[row_of(price, tier, input, volume)].units;
        dearest = std::max({dearest, units.input_fresh, units.cache_read, units.cache_write});
      }
    }
    ASSERT_EQ(worst_input_unit(price, tier, 2), dearest);
  }
}

TEST(Price, RowOfIsWhatASearchOfAllRowsFinds) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 1'000; ++i) {
    const PriceVersion price = random_version(random);
    const auto tier = static_cast<ServiceTier>(random() % 4);
    const auto input = static_cast<TokenCount>(random() % 5);
    const auto volume = static_cast<TokenCount>(random() % 5);
    const PriceRow& chosen = price.rows[row_of(price, tier, input, volume)];
    ASSERT_LE(chosen.input_from, input);
    ASSERT_LE(chosen.volume_from, volume);
    for (const PriceRow& row : price.rows) {
      if (row.tier != chosen.tier || row.input_from > input || row.volume_from > volume) continue;
      ASSERT_TRUE(row.input_from < chosen.input_from ||
                  (row.input_from == chosen.input_from && row.volume_from <= chosen.volume_from));
    }
  }
}

TEST(Price, RefusesRowsThatDoNotPriceEveryRequestOrPriceOneTwice) {
  const std::vector<std::vector<PriceRow>> wrong = {
      {},
      {{kBatch, 0, 0, flat(1)}},
      {{kDefault, 1, 0, flat(1)}},
      {{kDefault, 0, 1, flat(1)}},
      {{kDefault, 0, 0, flat(1)}, {kDefault, 0, 0, flat(2)}},
      {{kDefault, 0, 0, flat(1)}, {kDefault, 2, 0, flat(1)}, {kDefault, 1, 0, flat(1)}},
      {{kDefault, 0, 0, flat(1)}, {kBatch, 0, 0, flat(1)}, {kPriority, 0, 0, flat(1)}},
      {{kDefault, 0, 0, flat(1)}, {kBatch, 32, 0, flat(1)}},
      {{kDefault, 0, 0, flat(1)}, {kDefault, 32, -1, flat(1)}},
      {{kDefault, -1, 0, flat(1)}},
      {{kDefault, 0, 0, flat(-1)}},
      {{kDefault, 0, 0, flat(1)}, {static_cast<ServiceTier>(4), 0, 0, flat(1)}},
  };
  for (size_t i = 0; i < wrong.size(); ++i) {
    const auto checked = check_rows(version_of(wrong[i]));
    ASSERT_FALSE(checked) << i;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(check_rows(tiered()));
  EXPECT_TRUE(check_rows(version_of(flat_rows(example_units()))));
}

TEST(Price, BoundsTheUnitsAndTheRowsOfAVersion) {
  PriceVersion price = version_of(flat_rows(example_units()));
  price.rows[0].units.reasoning = kUnitMax;
  EXPECT_TRUE(check_rows(price));
  price.rows[0].units.reasoning += Money::pico(1);
  EXPECT_FALSE(check_rows(price));
  price.rows.clear();
  for (size_t i = 0; i < kRowsMax; ++i) {
    price.rows.push_back({kDefault, static_cast<TokenCount>(i), 0, flat(1)});
  }
  EXPECT_TRUE(check_rows(price));
  price.rows.push_back({kBatch, 0, 0, flat(1)});
  EXPECT_FALSE(check_rows(price));
}

TEST(Price, NamesItsTiersBothWays) {
  for (const ServiceTier tier : {kDefault, kPriority, kFlex, kBatch}) {
    EXPECT_EQ(parse_tier(name_of(tier)).value(), tier);
  }
  EXPECT_FALSE(parse_tier("standard"));
  EXPECT_FALSE(parse_tier(""));
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
