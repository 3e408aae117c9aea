// Books::check_means() says no only where every hold would.
#include <gtest/gtest.h>

#include "ledger/accounts_fixture.h"

namespace feilun::ledger {
namespace {

class MeansTest : public AccountsTest {
 protected:
  Result<> means(TokenCount input = 1, TokenCount slice = 1) {
    return ledger_->write<void>([&](Books& books) { return books.check_means(request("", input, slice)); });
  }
  bool no_quota(const Result<>& means) {
    return !means && means.error().code == ErrorCode::kInsufficientQuota;
  }
};

TEST_F(MeansTest, AreWhatPaysForAToken) {
  EXPECT_TRUE(no_quota(means()));
  credit("0.0000008");  // a token costs 0.3 micro-yuan to read and 0.6 to write
  EXPECT_TRUE(no_quota(means()));
  EXPECT_TRUE(means(1, 0));
  credit("0.0000001");
  EXPECT_TRUE(means());
  EXPECT_TRUE(ledger_->hold_now(request("r", 1, 1)));
  EXPECT_TRUE(no_quota(means()));
}

TEST_F(MeansTest, AreLotsAndPackagesToo) {
  grant(package(1));
  EXPECT_TRUE(no_quota(means()));
  grant(package(1));
  EXPECT_TRUE(means());
  Lot other = money_lot("1");
  other.offerings = {"mega"};
  HoldRequest mega = request("", 1, 1);
  mega.offering = "mega";
  ASSERT_TRUE(ledger_->set_price(price("mega")));
  const auto asked = [&] {
    return ledger_->write<void>([&](Books& books) { return books.check_means(mega); });
  };
  EXPECT_TRUE(no_quota(asked()));
  grant(other);
  EXPECT_TRUE(asked());
}

TEST_F(MeansTest, AreNotNeededWhereNothingIsCharged) {
  PriceVersion free = price();
  free.rows = pricing::flat_rows({});
  ASSERT_TRUE(ledger_->set_price(free));
  EXPECT_TRUE(means());
}

TEST_F(MeansTest, EndWithALimit) {
  credit("1");
  SpendLimit limit{.scope = project_id(), .measure = Measure::kRequests, .window_s = 3600};
  limit.bound = Quantity::pico(1);
  ASSERT_TRUE(ledger_->write<SpendLimit>([&](Books& books) { return books.set_limit(limit); }));
  EXPECT_TRUE(means());
  ASSERT_TRUE(ledger_->hold_now(request("r", 1, 1)));
  EXPECT_EQ(means().error().code, ErrorCode::kRateLimited);
}

TEST_F(MeansTest, WriteNothing) {
  credit("1");
  const auto head = [&] {
    return ledger_->read<int64_t>([](State& state) -> Result<int64_t> { return state.head().sequence; });
  };
  const int64_t before = *head();
  EXPECT_TRUE(means());
  EXPECT_EQ(*head(), before);
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
