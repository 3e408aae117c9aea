#include "ledger/given_back.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "ledger/audit.h"
#include "ledger/invoicing_fixture.h"
#include "ledger/verify_replay.h"

namespace feilun::ledger {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr TokenCount kMillion = 1'000'000;
constexpr const char* kNumber = "2023-11-0001";

/// Requests of red and blue at 0.6 yuan a million tokens, which come back by refunds and by credit notes.
class GivenBack : public InvoicingTest {
 protected:
  Result<Refund> refund(const std::string& request_id, const char* amount) {
    return ledger_->write<Refund>(
        [&](Books& books) { return books.refund({.request_id = request_id, .amount = yuan(amount)}); });
  }
  /// A note on the line of usage of the project.
  Result<Invoice> note_on(const std::string& project, const char* amount, const char* number = kNumber) {
    const Invoice invoice =
        ledger_->read<Invoice>([&](State& state) { return issued_invoice(state, number); }).value();
    const auto line = std::ranges::find(invoice.lines, project,
                                        [](const InvoiceLine& each) { return each.charge.project_id; });
    EXPECT_NE(line, invoice.lines.end());
    const auto place = static_cast<size_t>(line - invoice.lines.begin());
    return credit_note({.invoice = number, .lines = {{place, yuan(amount)}}, .reason = "slow"});
  }
  /// November is invoiced, the clock is set back into it, and a lot pays 3 yuan for red and the wallet 3 for
  /// blue: both are on December's invoice, and a note takes red's back. Returns the lot's account.
  std::string charge_in_a_closed_month() {
    serve(blue_, 5 * kMillion);
    go_to("2023-12-01T00:00:00Z");
    issue("acme", "2023-11");
    go_to("2023-11-30T00:00:00Z");
    const std::string lot = grant(money_lot("3"), "acme");
    serve(red_, 5 * kMillion);
    serve(blue_, 5 * kMillion);
    go_to("2024-01-01T00:00:00Z");
    EXPECT_EQ(issue("acme", "2023-12").total, yuan("3"));
    EXPECT_TRUE(note_on(red_, "3", "2023-12-0001"));
    return lot;
  }
  ErrorCode refused(const Result<Invoice>& note) {
    EXPECT_FALSE(note);
    return note ? ErrorCode::kInternal : note.error().code;
  }
};

TEST_F(GivenBack, ANoteLeavesWhatWasRefundedBeforeTheInvoice) {
  serve(red_, 5 * kMillion);
  serve(blue_, 5 * kMillion);
  go_to("2023-12-01T00:00:00Z");
  ASSERT_TRUE(refund("r1", "0.5"));
  ASSERT_TRUE(refund("r1", "0.5"));
  EXPECT_EQ(issue("acme", "2023-11").total, yuan("6"));
  const auto twice = note_on(red_, "2.01");
  ASSERT_EQ(refused(twice), ErrorCode::kConflict);
  EXPECT_NE(twice.error().message.find("refunded"), std::string::npos) << twice.error().message;
  ASSERT_TRUE(note_on(red_, "1.50"));
  EXPECT_EQ(refused(note_on(red_, "0.51")), ErrorCode::kConflict);
  ASSERT_TRUE(note_on(red_, "0.50"));
  ASSERT_TRUE(note_on(blue_, "3"));
  EXPECT_EQ(of("revenue"), Money());
  reopen();
  EXPECT_EQ(refused(credit_note({.invoice = kNumber, .reason = "all that is left"})), ErrorCode::kConflict);
  expect_verified();
}

TEST_F(GivenBack, AnotherCustomersMoneyDoesNotPayForTheSecondTime) {
  serve(red_, 5 * kMillion);
  serve(make_project("main", make_organisation("globex", "UTC").c_str()), 50 * kMillion);
  go_to("2023-12-01T00:00:00Z");
  ASSERT_TRUE(refund("r1", "1"));
  EXPECT_EQ(issue("acme", "2023-11").total, yuan("3"));
  EXPECT_EQ(refused(credit_note({.invoice = kNumber, .reason = "all"})), ErrorCode::kConflict);
  ASSERT_TRUE(note_on(red_, "2"));
  expect_verified();
}

TEST_F(GivenBack, WhatTheInvoiceItselfGaveBackIsLeftToo) {
  serve(red_, 5 * kMillion);
  serve(blue_, 5 * kMillion);
  ASSERT_TRUE(refund("r1", "1"));
  go_to("2023-12-01T00:00:00Z");
  EXPECT_EQ(issue("acme", "2023-11").total, yuan("5"));
  EXPECT_EQ(refused(note_on(red_, "2.01")), ErrorCode::kConflict);
  ASSERT_TRUE(note_on(red_, "2"));
  // All of it, the line of the refund included: nothing comes back twice.
  EXPECT_EQ(credit_note({.invoice = kNumber, .reason = "all"})->total, yuan("-3"));
  EXPECT_EQ(of("revenue"), Money());
  expect_verified();
}

TEST_F(GivenBack, ARefundInALotLeavesWhatANoteTookOfItsLine) {
  grant(money_lot("6"), "acme");
  serve(red_, 5 * kMillion);
  serve(red_, 5 * kMillion);
  serve(blue_, 10 * kMillion);
  go_to("2023-12-01T00:00:00Z");
  EXPECT_EQ(issue("acme", "2023-11").total, yuan("6"));
  ASSERT_TRUE(refund("r1", "1")) << "what goes back to a lot is on no invoice";
  EXPECT_EQ(refused(note_on(red_, "5.01")), ErrorCode::kConflict);
  ASSERT_TRUE(note_on(red_, "3"));
  const auto twice = refund("r2", "2.01");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, ErrorCode::kConflict);
  ASSERT_TRUE(refund("r2", "2"));
  EXPECT_EQ(refused(note_on(red_, "0.01")), ErrorCode::kConflict);
  ASSERT_TRUE(note_on(blue_, "3"));
  expect_verified();
}

TEST_F(GivenBack, WhatAWalletPaidBesideALotComesBackOnce) {
  grant(money_lot("1"), "acme");
  serve(red_, 5 * kMillion);  // 1 by the lot, 2 by the wallet
  go_to("2023-12-01T00:00:00Z");
  ASSERT_TRUE(refund("r1", "1.5"));
  EXPECT_EQ(issue("acme", "2023-11").total, yuan("2"));
  EXPECT_EQ(refused(note_on(red_, "1")), ErrorCode::kConflict);
  ASSERT_TRUE(note_on(red_, "0.5"));
  go_to("2024-01-01T00:00:00Z");
  EXPECT_EQ(issue("acme", "2023-12").total, yuan("-1.5"));
  expect_verified();
}

TEST_F(GivenBack, EveryCurrencyAndMonthOnItsOwn) {
  PriceVersion dollars = price();
  dollars.currency = "USD";
  ASSERT_TRUE(ledger_->set_price(dollars));
  const std::string abroad = ledger_
                                 ->write<Project>([](Books& books) -> Result<Project> {
                                   TRY(books.create_organisation({.name = "abroad", .currency = "USD"}));
                                   TRY(books.set_credit_limit("abroad", yuan("100")));
                                   return books.create_project("abroad", "USD", "abroad");
                                 })
                                 ->id;
  serve(abroad, 5 * kMillion);
  serve(red_, 5 * kMillion);
  go_to("2023-12-01T00:00:00Z");
  serve(red_, 5 * kMillion);
  ASSERT_TRUE(refund("r1", "1"));
  ASSERT_TRUE(refund("r3", "1"));
  const std::string of_abroad = issue("abroad", "2023-11").facts.number;
  const std::string of_acme = issue("acme", "2023-11").facts.number;
  EXPECT_EQ(refused(note_on(abroad, "2.01", of_abroad.c_str())), ErrorCode::kConflict);
  ASSERT_TRUE(note_on(abroad, "2", of_abroad.c_str()));
  ASSERT_TRUE(note_on(red_, "3", of_acme.c_str()));
  EXPECT_EQ(of("revenue", "USD"), Money());
  EXPECT_EQ(of("revenue"), yuan("2"));
  expect_verified();
}

TEST_F(GivenBack, AMonthThatMovedWithItsTimeZoneStaysInvoiced) {
  const std::string project = make_project("main", make_organisation("mover", "UTC").c_str());
  go_to("2023-11-30T20:00:00Z");
  serve(project, 5 * kMillion);
  ASSERT_TRUE(ledger_->write<Organisation>(
      [](Books& books) { return books.change_organisation("mover", {.time_zone = "Asia/Shanghai"}); }));
  go_to("2023-12-02T00:00:00Z");
  EXPECT_EQ(issue("mover", "2023-11").total, yuan("3"));
  ASSERT_TRUE(note_on(project, "3"));
  const auto twice = refund("r1", "3");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, ErrorCode::kConflict);
  expect_verified();
}

TEST_F(GivenBack, WhatAMovedTimeZoneCountsInTheNextMonthComesBackOnce) {
  const std::string project = make_project("main", make_organisation("mover", "UTC").c_str());
  serve(project, 5 * kMillion);
  go_to("2023-12-01T01:00:00Z");
  issue("mover", "2023-11");
  ASSERT_TRUE(ledger_->write<Organisation>(
      [](Books& books) { return books.change_organisation("mover", {.time_zone = "America/Los_Angeles"}); }));
  grant(money_lot("3"), "mover");
  serve(project, 5 * kMillion);  // in November there, which is closed: 3 by the lot
  serve(project, 5 * kMillion);  // 3 by the wallet
  go_to("2024-01-02T00:00:00Z");
  ASSERT_TRUE(refund("r2", "3"));
  ASSERT_TRUE(refund("r3", "1")) << "no invoice has it yet";
  const std::string december = issue("mover", "2023-12").facts.number;
  EXPECT_EQ(refused(note_on(project, "2.01", december.c_str())), ErrorCode::kConflict);
  const auto twice = refund("r3", "1");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, ErrorCode::kConflict);
  expect_verified();
}

TEST_F(GivenBack, WhatAClockSetBackCountsInTheNextMonthComesBackOnce) {
  charge_in_a_closed_month();
  const auto twice = refund("r2", "0.01");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, ErrorCode::kConflict);
  expect_verified();
}

TEST_F(GivenBack, TheAuditorNoticesWhatComesBackTwice) {
  const std::string lot = charge_in_a_closed_month();
  audit::Place place{.directory = directory_.path()};
  if (!schema_.empty()) place.url = TestPostgres::server().url();
  if (!schema_.empty()) place.schema = schema_;
  std::vector<std::string> problems;
  audit::Replay replay([&](std::string problem) { problems.push_back(std::move(problem)); });
  int64_t last = 0;
  ASSERT_TRUE(audit::read_journal(place, [&](const audit::ReadEntry& read) -> Result<> {
    replay.apply(last = read.sequence, read.time, read.entry);
    return {};
  }));
  EXPECT_THAT(problems, IsEmpty());
  Payload twice(EntryKind::kRefund);
  twice.text("r2").text("local").text("").text("");
  twice.postings({{"revenue", "CNY", yuan("-0.01")}, {lot, "CNY", yuan("0.01")}});
  const int64_t now = clock_.wall().time_since_epoch().count();
  replay.apply(last + 1, now, audit::read_payload(twice.bytes()).value());
  EXPECT_THAT(problems, ElementsAre(HasSubstr("more of a line than was charged")));
}

TEST_F(GivenBack, ANoteOnAPackageLeavesThePackage) {
  ASSERT_TRUE(ledger_->credit("acme", yuan("10"), "CNY", "", ""));
  Lot tokens = package(kMillion);
  tokens.paid = yuan("2");
  const std::string lot = grant(tokens, "acme");
  go_to("2023-12-01T00:00:00Z");
  EXPECT_EQ(issue("acme", "2023-11").total, yuan("2"));
  EXPECT_EQ(credit_note({.invoice = kNumber, .reason = "a gift after all"})->total, yuan("-2"));
  EXPECT_EQ(wallet_of_acme(), yuan("10"));
  EXPECT_EQ(tokens_of(lot), kMillion);
  serve(red_, kMillion / 2);
  EXPECT_EQ(tokens_of(lot), kMillion / 2);
  EXPECT_EQ(wallet_of_acme(), yuan("10"));
  expect_verified();
}

TEST_F(GivenBack, ALineThatWasNotChargedWholeComesBackAsFarAsItWas) {
  const std::string id = "cut";
  HoldRequest asked = request(id, 0, 100);
  asked.project_id = red_;
  ASSERT_TRUE(ledger_->hold_now(asked));
  settle(id, {.output = 5 * kMillion});  // listed at 3 yuan, charged what 100 tokens cost
  serve(blue_, 5 * kMillion);
  go_to("2023-12-01T00:00:00Z");
  EXPECT_EQ(issue("acme", "2023-11").total, yuan("3"));
  EXPECT_EQ(refused(note_on(red_, "1")), ErrorCode::kConflict);
  ASSERT_TRUE(note_on(blue_, "3"));
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
