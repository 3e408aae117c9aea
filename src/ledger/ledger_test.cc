#include "ledger/ledger.h"

#include <gtest/gtest.h>

#include "ledger/books.h"
#include "ledger/ledger_fixture.h"

namespace feilun::ledger {
namespace {

TEST_F(LedgerTest, StartsWithADefaultProjectAndNoMoney) {
  const Project project = ledger_->find_project("default").value();
  EXPECT_EQ(project.currency, "CNY");
  EXPECT_EQ(ledger_->find_project(project.id).value().name, "default");
  EXPECT_TRUE(balance().posted.is_zero());
  EXPECT_EQ(ledger_->projects().value().size(), 1u);
  EXPECT_EQ(ledger_->find_project("other").error().code, ErrorCode::kNotFound);
}

TEST_F(LedgerTest, MakesItsDirectoryAndThoseAboveIt) {
  const auto deep = directory_.path() / "some" / "where" / "";
  ASSERT_TRUE(Ledger::open({.directory = deep}));
  EXPECT_TRUE(verify(deep).value().ok());
}

TEST_F(LedgerTest, ProjectNamesAreUnique) {
  ASSERT_TRUE(ledger_->create_project("team", "USD"));
  EXPECT_EQ(ledger_->create_project("team", "USD").error().code, ErrorCode::kConflict);
  EXPECT_EQ(ledger_->create_project("", "USD").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ledger_->create_project("x", "usd").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ledger_->create_project("proj_x", "USD").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(LedgerTest, OfSeveralActsThatAreOneTheFirstIsUndoneWhenTheSecondFails) {
  set_up_price();
  credit("1.00");
  const auto made = ledger_->write<Project>([](Books& books) -> Result<Project> {
    TRY(books.create_project("first", "CNY"));
    TRY(books.credit("default", yuan("5.00"), "CNY", "half", ""));
    return books.create_project("first", "CNY");
  });
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kConflict);
  EXPECT_EQ(balance().posted, yuan("1.00"));
  EXPECT_EQ(ledger_->find_project("first").error().code, ErrorCode::kNotFound);

  // What was there before, and what comes after, is as if it had never been tried.
  EXPECT_TRUE(ledger_->hold_now(request("req_1")));
  EXPECT_TRUE(ledger_->create_project("first", "CNY"));
  credit("2.00");
  EXPECT_EQ(balance().posted, yuan("3.00"));
  expect_verified();
}

TEST_F(LedgerTest, ChargesWhatWasUsedAndFreesTheRest) {
  set_up_price();
  credit("1.00");
  const Hold hold = ledger_->hold_now(request("req_1")).value();
  EXPECT_EQ(hold.held.pico(), 100 * 300'000 + 256 * 600'000);
  EXPECT_EQ(hold.output_tokens, 256);
  EXPECT_FALSE(hold.exhausted);
  EXPECT_EQ(balance().pending, hold.held);
  EXPECT_EQ(balance().posted, yuan("1.00"));

  const TokenUsage usage{.input_fresh = 60, .cache_read = 40, .output = 10};
  const Settlement settlement = ledger_->settle_now("req_1", usage, Outcome::kCompleted).value();
  EXPECT_EQ(settlement.charged.pico(), 60 * 300'000 + 40 * 30'000 + 10 * 600'000);
  EXPECT_EQ(settlement.charged + settlement.released, hold.held);
  EXPECT_EQ(balance().posted, yuan("1.00") - settlement.charged);
  EXPECT_TRUE(balance().pending.is_zero());
  const UsageTotals totals = ledger_->usage("default").value();
  EXPECT_EQ(totals.requests, 1);
  EXPECT_EQ(totals.usage, usage);
  EXPECT_EQ(totals.charged, settlement.charged);
  expect_verified();
}

TEST_F(LedgerTest, WalletOfThirtySevenAndAHalfTokensGetsThirtySeven) {
  set_up_price();
  credit("0.000052500000");  // 100 input tokens and 37.5 output tokens
  const Hold hold = ledger_->hold_now(request("req_1")).value();
  EXPECT_EQ(hold.output_tokens, 37);
  EXPECT_TRUE(hold.exhausted);
  EXPECT_EQ(balance().available().pico(), 300'000);
  const Hold more = wait<Hold>([&](auto done) { ledger_->top_up("req_1", 64, std::move(done)); }).value();
  EXPECT_EQ(more.output_tokens, 37);
  EXPECT_EQ(more.held, hold.held);
  EXPECT_TRUE(more.exhausted);
  expect_verified();
}

TEST_F(LedgerTest, TopUpAddsWhatTheBalancePays) {
  set_up_price();
  credit("0.000042000000");  // 100 input and 20 output tokens
  ASSERT_EQ(ledger_->hold_now(request("req_1", 100, 8)).value().output_tokens, 8);
  const auto top_up = [&](TokenCount more) {
    return wait<Hold>([&](auto done) { ledger_->top_up("req_1", more, std::move(done)); }).value();
  };
  EXPECT_EQ(top_up(8).output_tokens, 16);
  const Hold last = top_up(8);
  EXPECT_EQ(last.output_tokens, 20);
  EXPECT_TRUE(last.exhausted);
  EXPECT_EQ(last.held, yuan("0.000042"));
  credit("1");
  EXPECT_EQ(top_up(8).output_tokens, 28);
  expect_verified();
}

TEST_F(LedgerTest, RefusesWhenInputAndOneOutputTokenCannotBePaid) {
  set_up_price();
  credit("0.000030599999");  // a pico-unit short of 100 input tokens and one output token
  EXPECT_EQ(ledger_->hold_now(request("req_1")).error().code, ErrorCode::kInsufficientQuota);
  credit("0.000000000001");
  EXPECT_EQ(ledger_->hold_now(request("req_1")).value().output_tokens, 1);
  EXPECT_EQ(ledger_->hold_now(request("req_2")).error().code, ErrorCode::kInsufficientQuota);
  expect_verified();
}

TEST_F(LedgerTest, RequestEndsExactlyOnce) {
  set_up_price();
  credit("1.00");
  ASSERT_TRUE(ledger_->hold_now(request("req_1")));
  EXPECT_EQ(ledger_->hold_now(request("req_1")).error().code, ErrorCode::kConflict);
  ASSERT_TRUE(ledger_->settle_now("req_1", {.input_fresh = 1}, Outcome::kCompleted));
  const Balance after = balance();
  EXPECT_EQ(ledger_->settle_now("req_1", {.input_fresh = 1}, Outcome::kCompleted).error().code,
            ErrorCode::kConflict);
  const auto released =
      wait<Settlement>([&](auto done) { ledger_->release("req_1", Outcome::kFailed, std::move(done)); });
  EXPECT_EQ(released.error().code, ErrorCode::kConflict);
  EXPECT_EQ(wait<Hold>([&](auto done) { ledger_->top_up("req_1", 1, std::move(done)); }).error().code,
            ErrorCode::kConflict);
  EXPECT_EQ(wait<TokenUsage>([&](auto done) { ledger_->mark("req_1", {}, std::move(done)); }).error().code,
            ErrorCode::kConflict);
  EXPECT_EQ(ledger_->hold_now(request("req_1")).error().code, ErrorCode::kConflict);
  EXPECT_EQ(ledger_->settle_now("req_2", {}, Outcome::kCompleted).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(balance().posted, after.posted);
  expect_verified();
}

TEST_F(LedgerTest, NeverChargesMoreThanHeld) {
  set_up_price();
  credit("1.00");
  const Hold hold = ledger_->hold_now(request("req_1", 10, 5)).value();
  const Settlement settled =
      ledger_->settle_now("req_1", {.input_fresh = 10, .output = 6}, Outcome::kCompleted).value();
  EXPECT_EQ(settled.charged, hold.held);
  EXPECT_TRUE(settled.released.is_zero());
  expect_verified();
}

TEST_F(LedgerTest, ReleaseFreesTheWholeHold) {
  set_up_price();
  credit("1.00");
  ASSERT_TRUE(ledger_->hold_now(request("req_1")));
  ASSERT_TRUE(
      wait<Settlement>([&](auto done) { ledger_->release("req_1", Outcome::kCancelled, std::move(done)); }));
  EXPECT_EQ(balance().available(), yuan("1.00"));
  EXPECT_EQ(ledger_->usage("default").value().requests, 0);
  expect_verified();
}

TEST_F(LedgerTest, MarksNeverFall) {
  set_up_price();
  credit("1.00");
  ASSERT_TRUE(ledger_->hold_now(request("req_1")));
  const auto mark = [&](TokenUsage usage) {
    return wait<TokenUsage>([&](auto done) { ledger_->mark("req_1", usage, std::move(done)); }).value();
  };
  const TokenUsage first{.input_fresh = 100, .output = 16};
  EXPECT_EQ(mark(first), first);
  EXPECT_EQ(mark({.input_fresh = 100, .output = 8}), first);
  EXPECT_EQ(mark({.cache_read = 100, .output = 16}), first);
  expect_verified();
}

TEST_F(LedgerTest, RecoveryChargesTheLastMarkAndFreesUnmarkedHolds) {
  set_up_price();
  credit("1.00");
  ASSERT_TRUE(ledger_->hold_now(request("req_1")));
  ASSERT_TRUE(ledger_->hold_now(request("req_2")));
  const TokenUsage usage{.input_fresh = 100, .output = 16};
  ASSERT_TRUE(wait<TokenUsage>([&](auto done) { ledger_->mark("req_1", usage, std::move(done)); }));
  reopen(/*serving=*/false);
  EXPECT_FALSE(balance().pending.is_zero());
  reopen(/*serving=*/true);
  EXPECT_TRUE(balance().pending.is_zero());
  EXPECT_EQ(balance().posted, yuan("1.00") - Money::pico(100 * 300'000 + 16 * 600'000));
  EXPECT_EQ(ledger_->settle_now("req_1", usage, Outcome::kCompleted).error().code, ErrorCode::kConflict);
  EXPECT_EQ(ledger_->hold_now(request("req_2")).error().code, ErrorCode::kConflict);
  expect_verified();
}

TEST_F(LedgerTest, FreeOfferingNeedsNoBalance) {
  PriceVersion free = price();
  free.rows = pricing::flat_rows({});
  ASSERT_TRUE(ledger_->set_price(free));
  const Hold hold = ledger_->hold_now(request("req_1")).value();
  EXPECT_EQ(hold.output_tokens, 256);
  EXPECT_FALSE(hold.exhausted);
  EXPECT_TRUE(ledger_->settle_now("req_1", {.input_fresh = 100, .output = 3}, Outcome::kCompleted)
                  .value()
                  .charged.is_zero());
  expect_verified();
}

TEST_F(LedgerTest, RefusesImpossibleNumbers) {
  set_up_price();
  credit("1.00");
  EXPECT_EQ(ledger_->hold_now(request("", 1, 1)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ledger_->hold_now(request("r", -1, 1)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ledger_->hold_now(request("r", 1, -1)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ledger_->hold_now(request("r", INT64_MAX, 1)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ledger_->hold_now(request(std::string(5000, 'x'), 1, 1)).error().code,
            ErrorCode::kInvalidArgument);
  ASSERT_TRUE(ledger_->hold_now(request("r", 1, 1)));
  EXPECT_EQ(ledger_->settle_now("r", {.output = -1}, Outcome::kCompleted).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(ledger_->settle_now("r", {.output = INT64_MAX}, Outcome::kCompleted).error().code,
            ErrorCode::kInvalidArgument);
  expect_verified();
}

TEST_F(LedgerTest, UnknownOfferingOrProjectIsNotFound) {
  credit("1.00");
  EXPECT_EQ(ledger_->hold_now(request("r")).error().code, ErrorCode::kNotFound);
  set_up_price();
  HoldRequest elsewhere = request("r");
  elsewhere.project_id = "proj_none";
  EXPECT_EQ(ledger_->hold_now(elsewhere).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace feilun::ledger
