#include <gtest/gtest.h>

#include "ledger/accounts_fixture.h"
#include "ledger/commitment.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;

class CommitmentsTest : public AccountsTest {
 protected:
  CommitmentsTest() {
    const auto made = ledger_->write<Organisation>([](Books& books) {
      return books.create_organisation({.name = "acme", .currency = "CNY", .time_zone = "Asia/Shanghai"});
    });
    EXPECT_TRUE(made);
    acme_ = made->id;
    red_ =
        ledger_->write<Project>([](Books& books) { return books.create_project("red", "CNY", "acme"); })->id;
    EXPECT_TRUE(ledger_->credit("acme", yuan("1"), "CNY", "", ""));
  }
  Result<Commitment> commit(const char* amount, const char* from, const char* until = "") {
    Commitment asked{.organisation = "acme", .currency = "CNY", .amount = yuan(amount)};
    asked.from = parse_month(from).value();
    if (*until != 0) asked.until = parse_month(until).value();
    return ledger_->write<Commitment>([&](Books& books) { return books.commit(asked); });
  }
  Result<std::optional<TrueUp>> true_up(const char* month) {
    return ledger_->write<std::optional<TrueUp>>(
        [&](Books& books) { return books.true_up("acme", parse_month(month).value()); });
  }
  void serve(const std::string& id, TokenCount tokens) {
    HoldRequest asked = request(id, 0, tokens);
    asked.project_id = red_;
    ASSERT_TRUE(ledger_->hold_now(asked));
    settle(id, {.output = tokens});
  }
  void go_to(const char* time) { clock_.advance(parse_iso8601(time).value() - clock_.wall()); }

  std::string acme_;
  std::string red_;
};

TEST_F(CommitmentsTest, AKeyEntersOneCommitment) {
  Commitment asked{.organisation = "acme", .currency = "CNY", .amount = yuan("5")};
  asked.from = parse_month("2023-11").value();
  asked.idempotency_key = "contract 7";
  const auto enter = [&] {
    return ledger_->write<Commitment>([&](Books& books) { return books.commit(asked); });
  };
  const std::string id = enter()->id;
  EXPECT_EQ(enter()->id, id);
  asked.amount = yuan("6");
  EXPECT_EQ(enter().error().code, ErrorCode::kConflict);
  asked.amount = yuan("5");
  asked.until = parse_month("2024-05").value();
  EXPECT_EQ(enter().error().code, ErrorCode::kConflict);
  asked.until.reset();
  ASSERT_TRUE(ledger_->write<Commitment>(
      [&](Books& books) { return books.end_commitment(id, parse_month("2024-02").value()); }));
  EXPECT_EQ(enter()->id, id) << "it was ended since, and asked for as before";
  expect_verified();
}

TEST_F(CommitmentsTest, MonthIsChargedWhatItLacksOnce) {
  ASSERT_TRUE(commit("0.00001", "2023-11"));
  serve("r1", 10);
  EXPECT_EQ(true_up("2023-11").error().code, ErrorCode::kConflict);
  go_to("2023-11-30T15:59:59Z");
  serve("r2", 1);
  EXPECT_EQ(true_up("2023-11").error().code, ErrorCode::kConflict);
  go_to("2023-11-30T16:00:00Z");  // December in Shanghai
  serve("r3", 1);
  const TrueUp done = true_up("2023-11").value().value();
  EXPECT_EQ(done.charged, yuan("0.0000066"));
  EXPECT_EQ(done.shortfall, yuan("0.0000034"));
  EXPECT_EQ(of(wallet_of(acme_)), yuan("1") - yuan("0.00001") - yuan("0.0000006"));
  EXPECT_EQ(true_up("2023-11")->value().sequence, done.sequence);
  reopen();
  EXPECT_EQ(true_up("2023-11")->value().sequence, done.sequence);
  EXPECT_EQ(of("revenue"), yuan("0.0000106"));
  expect_verified();
}

TEST_F(CommitmentsTest, MonthThatSpentEnoughIsChargedNothing) {
  ASSERT_TRUE(commit("0.000003", "2023-11"));
  serve("r", 10);
  go_to("2023-12-05T00:00:00Z");
  EXPECT_TRUE(true_up("2023-11")->value().shortfall.is_zero());
  EXPECT_EQ(of(wallet_of(acme_)), yuan("0.999994"));
  expect_verified();
}

TEST_F(CommitmentsTest, WhatWasPromisedMayExceedTheBalance) {
  ASSERT_TRUE(commit("3", "2023-11"));
  go_to("2023-12-05T00:00:00Z");
  ASSERT_TRUE(true_up("2023-11"));
  EXPECT_EQ(of(wallet_of(acme_)), -yuan("2"));
  expect_verified();
}

TEST_F(CommitmentsTest, CoversItsMonthsOnlyAndNoneTwice) {
  const Commitment first = commit("1", "2023-11", "2024-01").value();
  EXPECT_EQ(commit("2", "2023-12").error().code, ErrorCode::kConflict);
  EXPECT_EQ(commit("2", "2023-10").error().code, ErrorCode::kConflict);
  EXPECT_EQ(commit("2", "2023-09", "2023-10").error().code, ErrorCode::kInvalidArgument) << "long past";
  ASSERT_TRUE(commit("2", "2024-01"));
  EXPECT_EQ(commit("1", "2023-10", "2023-10").error().code, ErrorCode::kInvalidArgument);
  go_to("2024-03-01T00:00:00Z");
  EXPECT_FALSE(true_up("2023-10")->has_value());
  EXPECT_EQ(true_up("2023-12")->value().shortfall, yuan("1"));
  EXPECT_EQ(true_up("2024-01")->value().shortfall, yuan("2"));
  const auto end = [&](const char* until) {
    return ledger_->write<Commitment>(
        [&](Books& books) { return books.end_commitment(first.id, parse_month(until).value()); });
  };
  EXPECT_EQ(end("2023-12").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(CommitmentsTest, EndsFromThisMonthOn) {
  const Commitment open = commit("1", "2023-11").value();
  const auto end = [&](const char* until) {
    return ledger_->write<Commitment>(
        [&](Books& books) { return books.end_commitment(open.id, parse_month(until).value()); });
  };
  EXPECT_EQ(end("2023-10").error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(end("2023-12"));
  EXPECT_EQ(end("2024-01").error().code, ErrorCode::kInvalidArgument);
  go_to("2024-03-01T00:00:00Z");
  EXPECT_TRUE(true_up("2023-11")->has_value());
  EXPECT_FALSE(true_up("2023-12")->has_value());
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
