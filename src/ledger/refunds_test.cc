#include <gtest/gtest.h>

#include "ledger/accounts_fixture.h"
#include "ledger/refund.h"
#include "ledger/sealing.h"
#include "ledger/test_stores.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;

class RefundsTest : public AccountsTest {
 protected:
  Result<Refund> refund(const RefundRequest& request) {
    return ledger_->write<Refund>([&](Books& books) { return books.refund(request); });
  }
  /// Serves a request of 10 output tokens, 6 micro-yuan.
  void serve(const std::string& id) {
    ASSERT_TRUE(ledger_->hold_now(request(id, 0, 20)));
    settle(id, {.output = 10});
  }
};

TEST_F(RefundsTest, UnwindsTheOrderInWhichItWasSpent) {
  credit("1");
  const std::string first = grant(money_lot("0.000001"));
  const std::string second = grant(money_lot("0.000002"));
  serve("r");
  EXPECT_EQ(wallet(), yuan("0.999997"));
  ASSERT_TRUE(refund({.request_id = "r", .amount = yuan("0.000004")}));
  EXPECT_EQ(wallet(), yuan("1"));
  EXPECT_EQ(of(second), yuan("0.000001"));
  EXPECT_TRUE(of(first).is_zero());
  EXPECT_EQ(refund({.request_id = "r", .amount = yuan("0.000003")}).error().code,
            ErrorCode::kInvalidArgument);
  const Refund rest = refund({.request_id = "r"}).value();
  EXPECT_EQ(rest.amount, yuan("0.000002"));
  EXPECT_EQ(of(second), yuan("0.000002"));
  EXPECT_EQ(of(first), yuan("0.000001"));
  EXPECT_TRUE(of("revenue").is_zero());
  EXPECT_EQ(live(), 2u);
  EXPECT_EQ(refund({.request_id = "r"}).error().code, ErrorCode::kInvalidArgument);
  expect_verified();
}

TEST_F(RefundsTest, ExpiredLotsShareIsBreakage) {
  Lot lot = money_lot("1");
  lot.expires = in(hours(1));
  grant(lot);
  serve("r");
  clock_.advance(hours(1));
  ASSERT_TRUE(refund({.request_id = "r"}));
  EXPECT_EQ(of("breakage"), yuan("0.000006"));
  EXPECT_EQ(expire(), 1);
  EXPECT_EQ(of("breakage"), yuan("1"));
  expect_verified();
}

TEST_F(RefundsTest, TokensOfPackagesComeBackAsTokens) {
  credit("1");
  const std::string tokens = grant(package(4));
  serve("r");
  EXPECT_EQ(tokens_of(tokens), 0);
  EXPECT_EQ(of("revenue"), yuan("0.0000036"));
  EXPECT_EQ(refund({.request_id = "r", .tokens = 5}).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(refund({.request_id = "r", .tokens = 1}));
  EXPECT_EQ(tokens_of(tokens), 1);
  EXPECT_EQ(wallet(), yuan("0.9999964"));
  const Refund rest = refund({.request_id = "r"}).value();
  EXPECT_EQ(rest.tokens, 3);
  EXPECT_EQ(rest.amount, yuan("0.0000036"));
  EXPECT_EQ(tokens_of(tokens), 4);
  expect_verified();
}

TEST_F(RefundsTest, HappensOncePerIdempotencyKey) {
  credit("1");
  serve("r");
  const RefundRequest request{.request_id = "r", .amount = yuan("0.000001"), .idempotency_key = "k"};
  const Refund first = refund(request).value();
  EXPECT_EQ(refund(request)->sequence, first.sequence);
  EXPECT_EQ(wallet(), yuan("0.999995"));
  RefundRequest other = request;
  other.amount = yuan("0.000002");
  EXPECT_EQ(refund(other).error().code, ErrorCode::kConflict);
  reopen();
  EXPECT_EQ(refund(request)->sequence, first.sequence);
  EXPECT_EQ(wallet(), yuan("0.999995"));
  expect_verified();
}

TEST_F(RefundsTest, OnlyWhatWasChargedIsRefunded) {
  credit("1");
  EXPECT_EQ(refund({.request_id = "none"}).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(ledger_->hold_now(request("r", 0, 1)));
  EXPECT_EQ(refund({.request_id = "r"}).error().code, ErrorCode::kConflict);
  release("r");
  EXPECT_EQ(refund({.request_id = "r"}).error().code, ErrorCode::kInvalidArgument);
  serve("s");
  EXPECT_EQ(refund({.request_id = "s", .amount = -yuan("0.000001")}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refund({.request_id = "s", .amount = Money()}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(wallet(), yuan("0.999994"));
  expect_verified();
}

TEST_F(RefundsTest, ReadsASettleThatIsSealed) {
  credit("1");
  serve("r");
  for (int i = 0; i < 5; ++i) credit("1");
  ledger_.reset();
  const auto store = open_store(directory_.path(), schema_);
  ASSERT_TRUE(seal_oldest(*store, {.run = 7, .kept = 1}).value());
  reopen();
  EXPECT_EQ(refund({.request_id = "r"})->amount, yuan("0.000006"));
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
