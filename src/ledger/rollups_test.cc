#include "ledger/rollups.h"

#include <gtest/gtest.h>

#include "ledger/ledger_fixture.h"
#include "ledger/sqlite_store.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;

class Rollups : public ::testing::Test {
 protected:
  Rollups() {
    EXPECT_TRUE(store_->begin(Store::Access::kWrite));
    EXPECT_TRUE(state_.begin());
  }
  void add(const char* payer, WallTime at, const UsageKey& key, TokenCount output) {
    const UsageSums sums{.requests = 1, .usage = {.output = output}, .charged = Money::pico(output)};
    ASSERT_TRUE(add_usage(state_, payer, at, TimeZone::utc().month_of(at), key, sums));
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Store> store_ = open_sqlite_store(directory_.path() / "ledger.db").value();
  State state_{*store_};
  const WallTime noon_{hours(480'000)};
  const UsageKey key_{.project_id = "proj_a", .key_id = "key_1", .offering = "nano", .price_id = 1};
};

TEST_F(Rollups, HoursAreHalfOpenAndOneRowHoweverManyRequests) {
  add("org_a", noon_, key_, 1);
  add("org_a", noon_ + hours(1) - microseconds(1), key_, 2);
  add("org_a", noon_ + hours(1), key_, 4);
  add("org_b", noon_, key_, 8);
  const auto first = hourly_usage(state_, "org_a", {noon_, noon_ + hours(1)}).value();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].from, noon_);
  EXPECT_EQ(first[0].key, key_);
  EXPECT_EQ(first[0].sums.requests, 2);
  EXPECT_EQ(first[0].sums.usage.output, 3);
  EXPECT_EQ(first[0].sums.charged, Money::pico(3));
  EXPECT_EQ(hourly_usage(state_, "org_a", {noon_, noon_ + hours(2)})->size(), 2u);
  EXPECT_EQ(hourly_usage(state_, "org_a", {noon_ - hours(9), noon_})->size(), 0u);
  EXPECT_EQ(hourly_usage(state_, "org_a", {noon_ + microseconds(1), noon_ + hours(2)})->size(), 1u);
}

TEST_F(Rollups, SumsOfTokensStopBeforeTheyOverflow) {
  constexpr TokenCount kMost = TokenCount{1} << 60;
  for (int i = 0; i < 9; ++i) add("org_a", noon_, key_, kMost - 1);
  const Month month = TimeZone::utc().month_of(noon_);
  EXPECT_EQ(hourly_usage(state_, "org_a", {noon_, noon_ + hours(1)})->at(0).sums.usage.output, kMost);
  const UsageSums sums = monthly_usage(state_, "org_a", month)->at(0).sums;
  EXPECT_EQ(sums.usage.output, kMost);
  EXPECT_EQ(sums.requests, 9);
  EXPECT_EQ(sums.charged, Money::pico(kMost - 1) * 9) << "money is counted on";
  EXPECT_EQ(volume(state_, "org_a", "nano", month).value(), kMost);
}

TEST_F(Rollups, DaysThatLieInThePeriodWholeAreReadAsOne) {
  const WallTime midnight = std::chrono::floor<std::chrono::days>(noon_) + hours(24);
  for (int hour = -3; hour < 51; ++hour) add("org_a", midnight + hours(hour), key_, 1);
  const auto read = [&](Period period) {
    std::vector<std::pair<int64_t, int64_t>> sums;  // hours since midnight, requests
    EXPECT_TRUE(each_day(state_, "org_a", period, [&](const UsageRow& row) -> Result<> {
      EXPECT_EQ(row.key, key_);
      sums.emplace_back((row.from - midnight) / hours(1), row.sums.requests);
      return {};
    }));
    return sums;
  };
  using Sums = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(read({midnight, midnight + hours(48)}), (Sums{{0, 24}, {24, 24}}));
  EXPECT_EQ(read({midnight - hours(1), midnight + hours(49)}), (Sums{{-1, 1}, {0, 24}, {24, 24}, {48, 1}}));
  EXPECT_EQ(read({midnight + microseconds(1), midnight + hours(24)}).size(), 23u);
  EXPECT_EQ(read({midnight + hours(22), midnight + hours(26)}).size(), 4u);
  EXPECT_EQ(read({midnight, midnight + hours(24) - microseconds(1)}).size(), 24u);
  EXPECT_EQ(read({midnight, midnight}).size(), 0u);
}

TEST_F(Rollups, AnHourOfManyKeysIsReadWhole) {
  constexpr int kKeys = 9000;
  UsageKey each = key_;
  for (int i = 0; i < kKeys; ++i) {
    each.key_id = "key_" + std::to_string(i);
    add("org_a", noon_, each, 1);
  }
  ASSERT_TRUE(state_.flush());
  add("org_a", noon_, each, 1);
  add("org_a", noon_ + hours(1), each, 1);
  UsageSums sums;
  const auto rows = hourly_usage(state_, "org_a", {noon_, noon_ + hours(1)}).value();
  for (const UsageRow& row : rows) sums += row.sums;
  EXPECT_EQ(rows.size(), size_t{kKeys});
  EXPECT_EQ(sums.requests, kKeys + 1);
}

TEST_F(Rollups, MonthsSumAcrossKeysAndKeepPricesApart) {
  UsageKey other_key = key_;
  other_key.key_id = "key_2";
  UsageKey other_price = key_;
  other_price.price_row = 1;
  add("org_a", noon_, key_, 1);
  add("org_a", noon_, other_key, 2);
  add("org_a", noon_, other_price, 4);
  const auto month = monthly_usage(state_, "org_a", TimeZone::utc().month_of(noon_)).value();
  ASSERT_EQ(month.size(), 2u);
  EXPECT_EQ(month[0].sums.usage.output, 3);
  EXPECT_EQ(month[0].key.key_id, "");
  EXPECT_EQ(month[1].sums.usage.output, 4);
  EXPECT_EQ(month[1].key.price_row, 1);
}

TEST_F(Rollups, VolumeIsOfOneOfferingInOneMonth) {
  UsageKey other = key_;
  other.offering = "mini";
  const Month month = TimeZone::utc().month_of(noon_);
  add("org_a", noon_, key_, 5);
  add("org_a", noon_ + hours(3), key_, 6);
  add("org_a", noon_, other, 7);
  EXPECT_EQ(volume(state_, "org_a", "nano", month), 11);
  EXPECT_EQ(volume(state_, "org_a", "mini", month), 7);
  EXPECT_EQ(volume(state_, "org_a", "nano", month + std::chrono::months(1)), 0);
  EXPECT_EQ(volume(state_, "org_b", "nano", month), 0);
}

TEST_F(Rollups, PayersAreListedOnceAlsoBeforeTheyAreWritten) {
  add("proj_z", noon_, key_, 1);
  add("org_a", noon_, key_, 1);
  add("org_a", noon_ + hours(30), key_, 1);
  EXPECT_EQ(payers_with_usage(state_).value(), (std::vector<std::string>{"org_a", "proj_z"}));
  ASSERT_TRUE(state_.flush());
  ASSERT_TRUE(store_->commit());
  ASSERT_TRUE(store_->begin(Store::Access::kRead));
  EXPECT_EQ(payers_with_usage(state_).value(), (std::vector<std::string>{"org_a", "proj_z"}));
}

}  // namespace
}  // namespace feilun::ledger
