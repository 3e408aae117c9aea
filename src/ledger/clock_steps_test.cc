#include <gtest/gtest.h>

#include "ledger/accounts_fixture.h"
#include "ledger/archive.h"
#include "ledger/idempotency.h"
#include "ledger/sealing.h"
#include "ledger/test_stores.h"
#include "ledger/wall_clock.h"

// The machine's clock is set, forwards or back, while the ledger serves. What happened stays as it was, and
// what is to come goes by the clock as it is.

namespace feilun::ledger {
namespace {

using namespace std::chrono_literals;

class ClockSteps : public AccountsTest {
 protected:
  ClockSteps() { credit("1"); }

  /// What the ten output tokens of a request cost now.
  Money charge() {
    const std::string id = "req_" + std::to_string(++requests_);
    EXPECT_TRUE(ledger_->hold_now(request(id, 0, 10)));
    return settle(id, {.output = 10}).charged;
  }
  void set_price_of(int64_t unit, std::chrono::microseconds from_now) {
    PriceVersion version = price();
    version.rows[0].units.output = Money::pico(unit);
    version.effective_from = in(from_now);
    ASSERT_TRUE(ledger_->set_price(version));
  }

  int requests_ = 0;
};

TEST_F(ClockSteps, BackOverAPriceBoundaryTheEarlierPriceIsInForceAgain) {
  set_price_of(1'000'000, 1h);
  EXPECT_EQ(charge(), Money::pico(6'000'000));
  clock_.advance(1h);
  EXPECT_EQ(charge(), Money::pico(10'000'000));
  ASSERT_TRUE(ledger_->hold_now(request("pinned", 0, 10)));
  clock_.advance(-1ms);
  EXPECT_EQ(charge(), Money::pico(6'000'000));
  EXPECT_EQ(settle("pinned", {.output = 10}).charged, Money::pico(10'000'000));
  clock_.advance(1ms);
  EXPECT_EQ(charge(), Money::pico(10'000'000));
  expect_verified();
}

TEST_F(ClockSteps, APricePublishedAfterAStepBackOverlapsNoOther) {
  clock_.advance(1h);
  set_price_of(1'000'000, 0s);
  clock_.advance(-30min);
  set_price_of(2'000'000, 0s);
  EXPECT_EQ(charge(), Money::pico(20'000'000));
  clock_.advance(30min - 1us);
  EXPECT_EQ(charge(), Money::pico(20'000'000));
  clock_.advance(1us);
  EXPECT_EQ(charge(), Money::pico(10'000'000));
  reopen();
  expect_verified();
}

TEST_F(ClockSteps, WhatWasSweptAtAWrongTimeStaysBreakageAndNothingIsSpentTwice) {
  Lot lot = money_lot("0.00001");
  lot.expires = in(1h);
  const std::string account = grant(lot);
  ASSERT_TRUE(ledger_->hold_now(request("open", 0, 10)));  // 6 of its 10 micro-yuan
  clock_.advance(24h);
  EXPECT_EQ(expire(), 1);
  EXPECT_EQ(of("breakage"), yuan("0.000004"));
  clock_.advance(-24h);
  release("open");
  EXPECT_EQ(of(account), yuan("0.000006"));
  EXPECT_EQ(charge(), Money::pico(6'000'000));
  EXPECT_TRUE(of(account).is_zero());
  EXPECT_EQ(of("breakage"), yuan("0.000004"));
  expect_verified();
}

TEST_F(ClockSteps, ALimitForgetsWhatWasUsedMoreThanAWindowAhead) {
  SpendLimit limit{.scope = project_id(), .measure = Measure::kRequests, .window_s = 5 * 3600};
  limit.bound = Quantity::pico(2);
  limit.alerts = {100};
  ASSERT_TRUE(ledger_->write<SpendLimit>([&](Books& books) { return books.set_limit(limit); }));
  const auto refused = [&] {
    const auto hold = ledger_->hold_now(request("refused", 0, 1));
    return !hold && hold.error().code == ErrorCode::kRateLimited;
  };
  clock_.advance(2h);
  charge();
  clock_.advance(365 * 24h);
  charge();
  charge();
  EXPECT_TRUE(refused());
  clock_.advance(-365 * 24h);
  charge();
  charge();
  EXPECT_TRUE(refused());
  clock_.advance(-1h);
  EXPECT_TRUE(refused()) << "what was used an hour ahead counts";
  clock_.advance(6h + 1min);
  charge();
  charge();
  EXPECT_TRUE(refused());
  expect_verified();
}

TEST_F(ClockSteps, AMonthsLimitCountsWhatANextMonthUsedTooEarly) {
  SpendLimit limit{.scope = project_id(), .measure = Measure::kTokens};
  limit.bound = Quantity::pico(25);
  ASSERT_TRUE(ledger_->write<SpendLimit>([&](Books& books) { return books.set_limit(limit); }));
  charge();
  clock_.advance(31 * 24h);
  charge();
  clock_.advance(-31 * 24h);
  EXPECT_EQ(ledger_->hold_now(request("most", 0, 64))->output_tokens, 15);
  expect_verified();
}

TEST_F(ClockSteps, ALeaseLastsAsLongWhateverTheWallClockSays) {
  SKIP_WITHOUT_POSTGRES();
  move_to_postgres();
  set_up_price();
  credit("1");
  TemporaryDirectory elsewhere;
  WallClock stepping;
  LedgerOptions theirs = options();
  theirs.directory = elsewhere.path();
  theirs.clock = &stepping;
  auto other = Ledger::open(theirs).value();
  ASSERT_TRUE(other->hold_now(request("theirs", 0, 10)));
  const MonoTime until = other->holds_until();
  for (const auto by : {365 * 24h, -2 * 365 * 24h}) {
    stepping.set_by(by);
    clock_.advance(1s);
    ASSERT_TRUE(other->flush());
    EXPECT_GE(other->holds_until(), until);
    EXPECT_LE(other->holds_until(), stepping.mono() + theirs.lease);
    ASSERT_TRUE(ledger_->flush());
    EXPECT_FALSE(balance().pending.is_zero()) << "nobody took its hold away";
  }
  EXPECT_TRUE(other->settle_now("theirs", {.output = 10}, Outcome::kCompleted));
  EXPECT_EQ(balance().posted, yuan("1") - Money::pico(6'000'000));
  other.reset();
  expect_verified();
}

TEST_F(ClockSteps, WhatIsChargedInAMonthThatWasInvoicedIsOnTheNextInvoice) {
  const Month month = TimeZone::utc().month_of(clock_.wall());
  const WallTime next = TimeZone::utc().period_of(month).until;
  const auto issue = [&](Month of) {
    const auto issued =
        ledger_->write<Invoice>([&](Books& books) { return books.issue_invoice("default", of); });
    EXPECT_TRUE(issued) << issued.error().message;
    return issued.value_or(Invoice());
  };
  charge();
  clock_.advance(next - clock_.wall());
  const Money first = issue(month).exact;
  clock_.advance(-1ms);
  charge();
  Lot plan = money_lot("0.01");
  plan.kind = LotKind::kPlan;
  plan.paid = yuan("0.001");
  grant(plan);
  charge();
  clock_.advance(31 * 24h + 1ms);
  const Invoice second = issue(month + std::chrono::months(1));
  EXPECT_EQ(first + second.exact, yuan("1") - wallet() - of("rounding"));
  EXPECT_EQ(second.exact, yuan("0.001") + first) << "the plan, which paid for the last, and the one before";
  expect_verified();
}

TEST_F(ClockSteps, ATrueUpAndAnInvoiceOfAMonthAreOneWhateverTheClockDoes) {
  charge();
  const Month month = TimeZone::utc().month_of(clock_.wall());
  const auto issue = [&] {
    return ledger_->write<Invoice>([&](Books& books) { return books.issue_invoice("default", month); });
  };
  EXPECT_FALSE(issue());
  clock_.advance(31 * 24h);
  const auto issued = issue();
  ASSERT_TRUE(issued) << issued.error().message;
  clock_.advance(-31 * 24h);
  EXPECT_EQ(issue()->facts.number, issued->facts.number);
  expect_verified();
}

TEST_F(ClockSteps, AnIdempotencyKeyHoldsForEverAndItsReplyADayByTheClockAsItIs) {
  HoldRequest once = request("once", 0, 10);
  once.claim = Claim{"order-7", blake2b_256("{}")};
  ASSERT_TRUE(ledger_->hold_now(once));
  settle("once", {.output = 10});
  ASSERT_TRUE(ledger_->write<void>([&](Books& books) {
    return keep_reply(books.state(), once.key_id, "order-7", "once", {.body = "kept"}, clock_.wall());
  }));
  const auto holder = [&] {
    return ledger_
        ->read<std::optional<ClaimHolder>>(
            [&](State& state) { return find_claim(state, once.key_id, "order-7", clock_.wall()); })
        .value()
        .value();
  };
  HoldRequest again = once;
  again.request_id = "again";
  for (const auto step : {25h, -25h, -24h * 400, 24h * 400}) {
    clock_.advance(step);
    EXPECT_EQ(holder().reply.has_value(), step != 25h);
    EXPECT_EQ(ledger_->hold_now(again).error().code, ErrorCode::kConflict);
  }
  clock_.advance(25h);
  ASSERT_TRUE(ledger_->write<int64_t>(
      [&](Books& books) { return forget_old_replies(books.state(), clock_.wall(), 10); }));
  clock_.advance(-25h);
  EXPECT_FALSE(holder().reply) << "it was forgotten";
  EXPECT_EQ(ledger_->hold_now(again).error().code, ErrorCode::kConflict);
  EXPECT_EQ(balance().posted, yuan("1") - Money::pico(6'000'000));
  expect_verified();
}

TEST_F(ClockSteps, WhatIsSealedIsArchivedByItsLatestEntryWhateverTheirOrder) {
  for (int i = 0; i < 3; ++i) charge();
  const WallTime today = clock_.wall();
  clock_.advance(365 * 24h);
  charge();
  clock_.advance(-365 * 24h);
  for (int i = 0; i < 3; ++i) charge();
  ledger_.reset();
  const auto store = open_store(directory_.path(), schema_);
  int64_t runs = 0;
  while (seal_oldest(*store, {.run = 2, .kept = 1}).value()) ++runs;
  const auto first = archive_segments(*store, directory_ / "archive", today + 1h).value();
  EXPECT_GE(first.segments, 2);
  EXPECT_LT(first.segments, runs - 2) << "what lies behind an entry of next year stays with it";
  expect_verified();
  const auto rest = archive_segments(*store, directory_ / "archive", today + 366 * 24h).value();
  EXPECT_EQ(first.segments + rest.segments, runs);
  expect_verified();
  reopen();
  charge();
  EXPECT_EQ(balance().posted, yuan("1") - Money::pico(8 * 6'000'000));
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
