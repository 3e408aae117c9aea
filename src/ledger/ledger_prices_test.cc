#include <gtest/gtest.h>

#include "ledger/checked_amount.h"
#include "ledger/ledger_fixture.h"

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;

TEST_F(LedgerTest, PriceIntervalsAreHalfOpen) {
  const WallTime start = clock_.wall();
  const PriceVersion first = ledger_->set_price(price()).value();
  PriceVersion dearer = price();
  dearer.rows[0].units.output = Money::pico(900'000);
  dearer.effective_from = start + milliseconds(10);
  const PriceVersion second = ledger_->set_price(dearer).value();
  const auto at = [&](milliseconds offset) { return ledger_->price_at("nano", "CNY", start + offset); };
  EXPECT_EQ(at(milliseconds(-1)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(at(milliseconds(0))->id, first.id);
  EXPECT_EQ(at(milliseconds(9))->id, first.id);
  EXPECT_EQ(at(milliseconds(10))->id, second.id);
  EXPECT_EQ(at(milliseconds(11))->id, second.id);
  EXPECT_EQ(at(milliseconds(9))->effective_until, start + milliseconds(10));
  EXPECT_EQ(at(milliseconds(10))->effective_until, WallTime::max());
  expect_verified();
}

TEST_F(LedgerTest, HoldsPinThePriceInForceAtTheirTime) {
  credit("1");
  const PriceVersion first = ledger_->set_price(price()).value();
  PriceVersion dearer = price();
  dearer.rows[0].units.output = Money::pico(900'000);
  dearer.effective_from = clock_.wall() + milliseconds(10);
  const PriceVersion second = ledger_->set_price(dearer).value();
  clock_.advance(milliseconds(9));
  EXPECT_EQ(ledger_->hold_now(request("before"))->price.id, first.id);
  clock_.advance(milliseconds(1));
  EXPECT_EQ(ledger_->hold_now(request("at"))->price.id, second.id);
  clock_.advance(milliseconds(1));
  EXPECT_EQ(ledger_->hold_now(request("after"))->price.id, second.id);
  EXPECT_EQ(ledger_->settle_now("before", {.output = 1}, Outcome::kCompleted)->charged.pico(), 600'000);
  EXPECT_EQ(ledger_->settle_now("at", {.output = 1}, Outcome::kCompleted)->charged.pico(), 900'000);
  expect_verified();
}

TEST_F(LedgerTest, NewPriceEndsBeforeOneAlreadyScheduled) {
  const WallTime start = clock_.wall();
  ASSERT_TRUE(ledger_->set_price(price()));
  PriceVersion later = price();
  later.effective_from = start + milliseconds(100);
  const PriceVersion scheduled = ledger_->set_price(later).value();
  clock_.advance(milliseconds(50));
  const PriceVersion middle = ledger_->set_price(price()).value();
  EXPECT_EQ(middle.effective_from, start + milliseconds(50));
  EXPECT_EQ(middle.effective_until, start + milliseconds(100));
  EXPECT_EQ(ledger_->price_at("nano", "CNY", start + milliseconds(49))->id, 1);
  EXPECT_EQ(ledger_->price_at("nano", "CNY", start + milliseconds(99))->id, middle.id);
  EXPECT_EQ(ledger_->price_at("nano", "CNY", start + milliseconds(100))->id, scheduled.id);
  expect_verified();
}

TEST_F(LedgerTest, AContractThatEndsGivesWayToTheListPrice) {
  credit("1");
  const WallTime start = clock_.wall();
  const auto dearest = [&](const char* organisation, int64_t output) {
    PriceVersion price = this->price();
    price.organisation = organisation;
    price.rows[0].units.output = Money::pico(output);
    return price;
  };
  const PriceVersion list = ledger_->set_price(price()).value();
  const PriceVersion contract = ledger_->set_price(dearest("default", 500'000)).value();
  clock_.advance(milliseconds(10));
  EXPECT_EQ(ledger_->hold_now(request("under the contract"))->price.id, contract.id);
  PriceVersion ending = dearest("default", 500'000);
  ending.effective_until = start + milliseconds(30);
  const PriceVersion last = ledger_->set_price(ending).value();
  EXPECT_EQ(last.effective_until, start + milliseconds(30));
  clock_.advance(milliseconds(19));
  EXPECT_EQ(ledger_->hold_now(request("its last millisecond"))->price.id, last.id);
  clock_.advance(milliseconds(1));
  EXPECT_EQ(ledger_->hold_now(request("after it"))->price.id, list.id);
  expect_verified();
}

TEST_F(LedgerTest, AnOfferingWhosePriceHasEndedIsNotSold) {
  credit("1");
  PriceVersion ending = price();
  ending.effective_until = clock_.wall() + milliseconds(5);
  ASSERT_TRUE(ledger_->set_price(ending));
  clock_.advance(milliseconds(5));
  EXPECT_EQ(ledger_->hold_now(request("late")).error().code, ErrorCode::kNotFound);
  expect_verified();
}

TEST_F(LedgerTest, AScheduledPriceIsWithdrawnByAnotherFromTheSameMoment) {
  const WallTime later = clock_.wall() + milliseconds(10);
  ASSERT_TRUE(ledger_->set_price(price()));
  PriceVersion dearer = price();
  dearer.rows[0].units.output = Money::pico(900'000);
  dearer.effective_from = later;
  ASSERT_TRUE(ledger_->set_price(dearer));
  PriceVersion as_before = price();
  as_before.effective_from = later;
  const PriceVersion instead = ledger_->set_price(as_before).value();
  EXPECT_EQ(ledger_->price_at("nano", "CNY", later)->id, instead.id);
  EXPECT_EQ(ledger_->price_at("nano", "CNY", later)->rows, price().rows);
  EXPECT_EQ(instead.effective_until, WallTime::max());
  expect_verified();
}

TEST_F(LedgerTest, PriceNeverBeginsInThePast) {
  PriceVersion backdated = price();
  backdated.effective_from = clock_.wall() - std::chrono::hours(24);
  EXPECT_EQ(ledger_->set_price(backdated)->effective_from, clock_.wall());
  // Two at one instant: the second replaces the first before anything else can happen.
  const PriceVersion second = ledger_->set_price(price()).value();
  EXPECT_EQ(ledger_->price_at("nano", "CNY", clock_.wall())->id, second.id);
  expect_verified();
}

TEST_F(LedgerTest, RefusesPricesThatCannotBe) {
  PriceVersion bad = price();
  bad.rows[0].units.output = Money::pico(-1);
  EXPECT_EQ(ledger_->set_price(bad).error().code, ErrorCode::kInvalidArgument);
  bad = price();
  bad.offering = "";
  EXPECT_EQ(ledger_->set_price(bad).error().code, ErrorCode::kInvalidArgument);
  bad = price();
  bad.currency = "yuan";
  EXPECT_EQ(ledger_->set_price(bad).error().code, ErrorCode::kInvalidArgument);
  bad = price();
  bad.rows[0].units.input_fresh = yuan("100000000000000000000");
  EXPECT_EQ(ledger_->set_price(bad).error().code, ErrorCode::kInvalidArgument);
  bad = price();
  bad.effective_until = clock_.wall();
  EXPECT_EQ(ledger_->set_price(bad).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(LedgerTest, OfferingsHaveNamesThatNoOtherLooksLike) {
  for (const char* name :
       {"", "*", "nano*", "na*no", " nano", "nano ", "na\u200bno", "nano\u00a0", "cafe\u0301"}) {
    EXPECT_EQ(ledger_->set_price(price(name)).error().code, ErrorCode::kInvalidArgument) << name;
  }
  for (const char* name : {"nano 2", "openai/gpt-4o:free", "caf\u00e9", "飞轮"}) {
    EXPECT_TRUE(ledger_->set_price(price(name))) << name;
  }
  expect_verified();
}

TEST_F(LedgerTest, CurrenciesAreNeverMixed) {
  ASSERT_TRUE(ledger_->create_project("dollars", "USD"));
  set_up_price();
  EXPECT_EQ(ledger_->credit("dollars", yuan("1"), "CNY", "", "").error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(ledger_->credit("dollars", yuan("1"), "USD", "", ""));
  HoldRequest other = request("r");
  other.project_id = ledger_->find_project("dollars")->id;
  EXPECT_EQ(ledger_->hold_now(other).error().code, ErrorCode::kNotFound);
  expect_verified();
}

TEST_F(LedgerTest, CreditWithAnIdempotencyKeyIsGivenOnce) {
  const auto give = [&](const char* amount, const char* key) {
    return ledger_->credit("default", yuan(amount), "CNY", "top-up", key);
  };
  EXPECT_EQ(give("10", "a")->posted, yuan("10"));
  EXPECT_EQ(give("10", "a")->posted, yuan("10"));
  EXPECT_EQ(give("11", "a").error().code, ErrorCode::kConflict);
  EXPECT_EQ(give("10", "b")->posted, yuan("20"));
  EXPECT_EQ(give("10", "")->posted, yuan("30"));
  EXPECT_EQ(give("10", "")->posted, yuan("40"));
  EXPECT_EQ(give("0", "").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(give("-1", "").error().code, ErrorCode::kInvalidArgument);
  reopen();
  EXPECT_EQ(give("10", "a")->posted, yuan("40"));
  expect_verified();
}

TEST_F(LedgerTest, FundingStaysInsideItsBound) {
  const Money bound = Money::pico(int128{1'000'000'000'000} * 1'000'000'000'000 * 1'000'000'000'000);
  EXPECT_TRUE(check_funding(Money(), bound));
  EXPECT_TRUE(check_funding(Money::pico(1) - bound, Money::pico(1)));
  EXPECT_EQ(check_funding(-bound, Money::pico(1)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ledger_->credit("default", bound, "CNY", "", "").error().code, ErrorCode::kInvalidArgument);
  const auto absurd = ledger_->credit("default", Money::pico(static_cast<int128>(1) << 126), "CNY", "", "");
  EXPECT_EQ(absurd.error().code, ErrorCode::kInvalidArgument);
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
