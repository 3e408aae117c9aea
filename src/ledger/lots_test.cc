#include "ledger/lots.h"

#include <gtest/gtest.h>

#include "ledger/accounts_fixture.h"
#include "ledger/coverage.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;

// A request of 100 input tokens and a slice of 10 holds 30 + 6 micro-yuan.
constexpr TokenCount kInput = 100;
constexpr TokenCount kSlice = 10;

TEST_F(AccountsTest, BurnsByPriorityThenExpiryThenCreationThenTheWallet) {
  credit("1");
  const std::string late = grant(money_lot("0.000001", 1));
  Lot dated = money_lot("0.000002");
  dated.expires = in(hours(2));
  const std::string second = grant(dated);
  dated.expires = in(hours(1));
  const std::string first = grant(dated);
  const std::string third = grant(dated = money_lot("0.000004"));
  const std::string fourth = grant(dated);
  ASSERT_TRUE(ledger_->hold_now(request("r", 0, kSlice)));  // 6 micro-yuan
  EXPECT_TRUE(of(first).is_zero());
  EXPECT_TRUE(of(second).is_zero());
  EXPECT_EQ(of(third), yuan("0.000002"));
  EXPECT_EQ(of(fourth), yuan("0.000004"));
  EXPECT_EQ(of(late), yuan("0.000001"));
  EXPECT_EQ(wallet(), yuan("1"));
  top_up("r", 20);  // 12 micro-yuan more
  EXPECT_TRUE(of(third).is_zero());
  EXPECT_TRUE(of(fourth).is_zero());
  EXPECT_TRUE(of(late).is_zero());
  EXPECT_EQ(wallet(), yuan("0.999995"));
  EXPECT_EQ(live(), 0u);
  settle("r", {.output = 5});  // 3 micro-yuan: the first lot and half of the second
  EXPECT_TRUE(of(first).is_zero());
  EXPECT_EQ(of(second), yuan("0.000001"));
  EXPECT_EQ(of(fourth), yuan("0.000004"));
  EXPECT_EQ(wallet(), yuan("1"));
  EXPECT_EQ(live(), 4u);
}

TEST_F(AccountsTest, LotOfOtherOfferingsIsNotSpent) {
  Lot lot = money_lot("1");
  lot.offerings = {"mega"};
  grant(lot);
  EXPECT_EQ(ledger_->hold_now(request("r")).error().code, ErrorCode::kInsufficientQuota);
  lot.offerings.push_back("nano");
  lot.amount = yuan("2");
  grant(lot);
  EXPECT_TRUE(ledger_->hold_now(request("r")));
}

TEST_F(AccountsTest, LotExpiresToTheMicrosecond) {
  Lot lot = money_lot("1");
  lot.expires = in(hours(1));
  const std::string account = grant(lot);
  clock_.advance(hours(1) - std::chrono::microseconds(1));
  ASSERT_TRUE(ledger_->hold_now(request("before", kInput, kSlice)));
  EXPECT_EQ(expire(), 0);
  clock_.advance(std::chrono::microseconds(1));
  EXPECT_EQ(ledger_->hold_now(request("after", kInput, kSlice)).error().code, ErrorCode::kInsufficientQuota);
  EXPECT_EQ(expire(), 1);
  EXPECT_EQ(expire(), 0);
  EXPECT_TRUE(of(account).is_zero());
  EXPECT_EQ(of("breakage"), yuan("0.999964"));
  // What the open request drew is still good for it; the rest comes too late.
  EXPECT_EQ(settle("before", {.input_fresh = kInput}).charged, yuan("0.00003"));
  EXPECT_EQ(of("breakage"), yuan("0.99997"));
  EXPECT_EQ(of("revenue"), yuan("0.00003"));
  EXPECT_EQ(live(), 0u);
}

TEST_F(AccountsTest, SweepsTheFirstToExpireFirst) {
  for (const int hour : {3, 1, 2, 9}) {
    Lot lot = money_lot("1");
    lot.expires = in(hours(hour));
    grant(lot);
  }
  clock_.advance(hours(3));
  EXPECT_EQ(expire(2), 2);
  EXPECT_EQ(of("breakage"), yuan("2"));
  EXPECT_EQ(expire(), 1);
  EXPECT_EQ(live(), 1u);
}

TEST_F(AccountsTest, ReleaseFillsTheLotsAgain) {
  const std::string lot = grant(money_lot("0.000036"));
  ASSERT_TRUE(ledger_->hold_now(request("r", kInput, kSlice)));
  EXPECT_EQ(live(), 0u);
  release("r");
  EXPECT_EQ(of(lot), yuan("0.000036"));
  EXPECT_EQ(live(), 1u);
  EXPECT_TRUE(ledger_->hold_now(request("again", kInput, kSlice)));
}

TEST_F(AccountsTest, PackageCoversInputThenOutput) {
  credit("1");
  const std::string tokens = grant(package(105));
  const Hold hold = ledger_->hold_now(request("r", kInput, kSlice)).value();
  EXPECT_EQ(hold.output_tokens, kSlice);
  EXPECT_EQ(hold.held, yuan("0.000003"));  // 5 output tokens
  EXPECT_EQ(tokens_of(tokens), 0);
  EXPECT_EQ(tokens_of(held_of(project_id())), 105);
  const Settlement settled = settle("r", {.input_fresh = 60, .cache_read = 40, .output = 8});
  EXPECT_EQ(settled.charged, yuan("0.0000018"));
  EXPECT_EQ(tokens_of("revenue"), 105);
  EXPECT_EQ(tokens_of(held_of(project_id())), 0);
}

TEST_F(AccountsTest, WhatAPackageDidNotCoverGoesBack) {
  const std::string tokens = grant(package(200));
  ASSERT_TRUE(ledger_->hold_now(request("r", kInput, kSlice)).value().held.is_zero());
  EXPECT_EQ(tokens_of(tokens), 90);
  EXPECT_TRUE(settle("r", {.input_fresh = 20, .output = 2}).charged.is_zero());
  EXPECT_EQ(tokens_of(tokens), 178);
  EXPECT_EQ(tokens_of("revenue"), 22);
}

TEST_F(AccountsTest, PackageAloneEndsTheStreamWithItself) {
  grant(package(105));
  const Hold hold = ledger_->hold_now(request("r", kInput, kSlice)).value();
  EXPECT_EQ(hold.output_tokens, 5);
  EXPECT_TRUE(hold.exhausted);
  EXPECT_TRUE(top_up("r", 1).exhausted);
  grant(package(3));
  EXPECT_EQ(top_up("r", 2).output_tokens, 7);
  EXPECT_FALSE(top_up("r", 1).exhausted);
}

TEST_F(AccountsTest, TopUpOfPartlyCoveredInputTakesMoney) {
  credit("1");
  grant(package(40));
  ASSERT_EQ(ledger_->hold_now(request("r", kInput, kSlice)).value().held, yuan("0.000024"));
  const std::string later = grant(package(50));
  EXPECT_EQ(top_up("r", 10).held, yuan("0.00003"));
  EXPECT_EQ(tokens_of(later), 50);
}

TEST_F(AccountsTest, PlanIsBoughtForLessThanItsFace) {
  credit("1");
  Lot plan = money_lot("10");
  plan.kind = LotKind::kPlan;
  plan.paid = yuan("0.9");
  grant(plan);
  EXPECT_EQ(wallet(), yuan("0.1"));
  EXPECT_EQ(of("revenue"), yuan("0.9"));
  EXPECT_EQ(try_grant(plan).error().code, ErrorCode::kInsufficientQuota);
  plan.paid = plan.amount;
  EXPECT_EQ(try_grant(plan).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(AccountsTest, GrantHappensOncePerIdempotencyKey) {
  Lot lot = money_lot("1");
  lot.idempotency_key = "welcome";
  const LotBalance first = try_grant(lot).value();
  EXPECT_EQ(try_grant(lot)->lot.id, first.lot.id);
  EXPECT_EQ(of("funding"), -yuan("1"));
  lot.amount = yuan("2");
  EXPECT_EQ(try_grant(lot).error().code, ErrorCode::kConflict);
}

TEST_F(AccountsTest, RefusesImpossibleLots) {
  const auto refused = [&](const Lot& lot) {
    EXPECT_EQ(try_grant(lot).error().code, ErrorCode::kInvalidArgument);
  };
  refused(money_lot("0"));
  refused(money_lot("-1"));
  refused(money_lot("1", -1));
  refused(money_lot("1", 1001));
  Lot lot = money_lot("1");
  lot.unit = "USD";
  refused(lot);
  lot = money_lot("1");
  lot.paid = yuan("0.5");
  refused(lot);
  lot = money_lot("1");
  lot.expires = clock_.wall();
  refused(lot);
  lot = package(5);
  lot.amount += Money::pico(1);
  refused(lot);
  lot = package(5);
  lot.unit = "CNY";
  refused(lot);
  lot = money_lot("1");
  lot.offerings = {"\n"};
  refused(lot);
  EXPECT_EQ(try_grant(money_lot("1"), "nobody").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(live(), 0u);
}

TEST_F(AccountsTest, PayerHasAtMostSixtyFourLots) {
  for (int i = 0; i < 64; ++i) grant(money_lot("0.000001"));
  EXPECT_EQ(try_grant(money_lot("1")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(ledger_->hold_now(request("r", 0, 100)).value().held, yuan("0.00006"));
  EXPECT_EQ(live(), 4u);
}

TEST_F(AccountsTest, PostpaidWalletFallsToItsLimitAndNoFurther) {
  const auto write = [&](auto act) { return ledger_->write<Organisation>(act); };
  const Organisation acme = write([](Books& books) {
                              return books.create_organisation({.name = "acme", .currency = "CNY"});
                            }).value();
  const Project red =
      ledger_->write<Project>([](Books& books) { return books.create_project("red", "CNY", "acme"); })
          .value();
  const auto limit = [&](const char* amount) {
    return write([&](Books& books) { return books.set_credit_limit("acme", yuan(amount)); });
  };
  const auto hold = [&](const std::string& id, TokenCount output) {
    HoldRequest asked = request(id, 0, output);
    asked.project_id = red.id;
    return ledger_->hold_now(asked);
  };
  EXPECT_EQ(hold("r1", 1).error().code, ErrorCode::kInsufficientQuota);
  EXPECT_EQ(limit("-1").error().code, ErrorCode::kInvalidArgument);
  ASSERT_EQ(limit("0.000006").value().credit_limit, yuan("0.000006"));
  EXPECT_EQ(hold("r2", 100)->output_tokens, 10);
  EXPECT_EQ(of(wallet_of(acme.id)), -yuan("0.000006"));
  EXPECT_EQ(hold("r3", 1).error().code, ErrorCode::kInsufficientQuota);
  ASSERT_TRUE(limit("0.000003"));  // less than is owed: nothing more is spent, nothing breaks
  settle("r2", {.output = 8});
  EXPECT_EQ(of(wallet_of(acme.id)), -yuan("0.0000048"));
  EXPECT_EQ(hold("r4", 1).error().code, ErrorCode::kInsufficientQuota);
  ASSERT_TRUE(ledger_->credit("acme", yuan("0.0000024"), "CNY", "", ""));
  EXPECT_EQ(hold("r5", 9)->output_tokens, 1);
}

TEST(Coverage, NeverChargesMoreThanWasHeldWhateverIsUsed) {
  const WorstUnits worst{Money::pico(7), Money::pico(31)};
  const pricing::UnitPrices units{Money::pico(7), Money::pico(3), Money::pico(5), Money::pico(29),
                                  Money::pico(31)};
  for (TokenCount packages = 0; packages < 40; ++packages) {
    OpenHold open{.input_tokens = 9};
    const Coverage first = cover_hold(9, 6, worst, packages, Money::pico(200));
    if (!first.payable) continue;
    const Coverage more =
        cover_top_up({.input_tokens = 9, .covered_tokens = first.covered}, 5, worst, 4, Money::pico(100));
    const TokenCount output = first.output_tokens + more.output_tokens;
    const TokenCount covered = first.covered + more.covered;
    for (TokenCount in = 0; in <= 9; ++in) {
      for (TokenCount out = 0; out <= output; ++out) {
        const pricing::TokenUsage usage{in / 2, in - in / 2, 0, out / 3, out - out / 3};
        const auto paid = uncovered(usage, covered_of(usage, covered));
        ASSERT_LE(pricing::cost_of(units, paid), first.money + more.money)
            << packages << " packages, " << in << " in, " << out << " out";
      }
    }
  }
}

}  // namespace
}  // namespace feilun::ledger
