#include "ledger/receivables.h"

#include <gtest/gtest.h>

#include "ledger/invoicing_fixture.h"

namespace feilun::ledger {
namespace {

/// One open invoice of 106 yuan: 100 and 6% of it, due on 2023-12-31.
class ReceivablesTest : public InvoicingTest {
 protected:
  ReceivablesTest() {
    EXPECT_TRUE(set_billing({.owner_id = "acme", .taxes = {{{"VAT", "6"}}}, .due_days = 30}));
    PriceVersion round = price("round");
    round.rows = pricing::flat_rows({.input_fresh = yuan("1"),
                                     .cache_read = yuan("1"),
                                     .cache_write = yuan("1"),
                                     .output = yuan("1"),
                                     .reasoning = yuan("1")});
    EXPECT_TRUE(ledger_->set_price(round));
    serve_round(red_, 60);
    serve_round(blue_, 40);
    go_to("2023-12-01T00:00:00Z");
    EXPECT_EQ(issue("acme", "2023-11").due, yuan("106"));
  }
  void serve_round(const std::string& project, TokenCount tokens) {
    HoldRequest asked = request(fmt::format("round{}", ++requests_), 0, tokens);
    asked.project_id = project;
    asked.offering = "round";
    ASSERT_TRUE(ledger_->hold_now(asked));
    settle(asked.request_id, {.output = tokens});
  }
  static PaymentRequest returned(const char* amount, const char* reference, const char* payment = "") {
    return {.invoice = kNumber, .reference = reference, .amount = yuan(amount), .returns = payment};
  }
  Receivable owed() { return InvoicingTest::owed(kNumber); }
  ErrorCode refused(const PaymentRequest& request) { return pay(request).error().code; }
  ErrorCode refused(const CreditRequest& request) { return credit_note(request).error().code; }

  static constexpr const char* kNumber = "2023-11-0001";
};

TEST_F(ReceivablesTest, APaymentGoesIntoTheWalletAndPaysOncePerReference) {
  const PaymentRequest part{.invoice = kNumber, .reference = "bank 1", .amount = yuan("40")};
  for (int i = 0; i < 2; ++i) {
    const PaymentDone done = pay(part).value();
    EXPECT_EQ(done.applied, yuan("40"));
    EXPECT_EQ(done.invoice.open(), yuan("66"));
    EXPECT_EQ(wallet_of_acme(), yuan("-66"));
  }
  EXPECT_EQ(state_of(owed()), "partly_paid");
  EXPECT_EQ(refused({.invoice = kNumber, .reference = "bank 1", .amount = yuan("41")}), ErrorCode::kConflict);
  // Without an amount it is what is open.
  EXPECT_EQ(pay({.invoice = kNumber, .reference = "bank 2"})->amount, yuan("66"));
  EXPECT_EQ(state_of(owed()), "paid");
  EXPECT_EQ(wallet_of_acme(), Money());
  EXPECT_EQ(free_of(acme_), Money());
  EXPECT_EQ(refused({.invoice = kNumber, .reference = "bank 3", .amount = yuan("1")}), ErrorCode::kConflict);
  EXPECT_EQ(pay(part)->applied, yuan("40"));
  reopen();
  const auto payments =
      ledger_->read<std::vector<PaymentDone>>([](State& state) { return payments_of(state, kNumber); });
  ASSERT_EQ(payments->size(), 2u);
  EXPECT_EQ(payments->front().reference, "bank 1");
  expect_verified();
}

TEST_F(ReceivablesTest, WhatIsPaidTooMuchStaysInTheWalletForLaterInvoices) {
  const PaymentDone done = pay({.invoice = kNumber, .reference = "b", .amount = yuan("150")}).value();
  EXPECT_EQ(done.applied, yuan("106"));
  EXPECT_EQ(wallet_of_acme(), yuan("44"));
  EXPECT_EQ(free_of(acme_), yuan("44"));
  serve_round(red_, 50);
  go_to("2024-01-01T00:00:00Z");
  const Invoice next = issue("acme", "2023-12");
  EXPECT_EQ(next.paid, yuan("44"));
  EXPECT_EQ(next.due, yuan("9"));
  expect_verified();
}

TEST_F(ReceivablesTest, APaymentThatBouncedOpensTheInvoiceAgain) {
  EXPECT_EQ(refused(returned("-1", "x")), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "b", .amount = yuan("150")}));
  EXPECT_EQ(refused(returned("-150.01", "x")), ErrorCode::kInvalidArgument);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(pay(returned("-150", "b bounced"))->applied, yuan("-106"));
  EXPECT_EQ(state_of(owed()), "open");
  EXPECT_EQ(wallet_of_acme(), yuan("-106"));
  EXPECT_EQ(free_of(acme_), Money());
  EXPECT_EQ(refused(returned("-1", "y")), ErrorCode::kInvalidArgument);
  // What was paid too much and pays another invoice by now cannot go back.
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "c", .amount = yuan("150")}));
  serve_round(red_, 50);
  go_to("2024-01-01T00:00:00Z");
  EXPECT_EQ(issue("acme", "2023-12").paid, yuan("44"));
  EXPECT_EQ(refused(returned("-150", "c bounced")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(pay(returned("-6", "c in part"))->applied, yuan("-6"));
  EXPECT_EQ(owed().open(), yuan("6"));
  expect_verified();
}

TEST_F(ReceivablesTest, APaymentThatIsReturnedLeavesWhatOthersPaid) {
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "p1", .amount = yuan("60")}));
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "p2", .amount = yuan("46")}));
  EXPECT_EQ(refused(returned("-46", "which")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(returned("-46", "x", "p3")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(returned("-46.01", "x", "p2")), ErrorCode::kInvalidArgument);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(pay(returned("-46", "p2 back", "p2"))->applied, yuan("-46"));
  EXPECT_EQ(owed().open(), yuan("46"));
  EXPECT_EQ(refused(returned("-1", "x", "p2")), ErrorCode::kInvalidArgument) << "all of it went back";
  EXPECT_EQ(refused(returned("-1", "x", "p2 back")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(returned("-46", "p2 back", "p1")), ErrorCode::kConflict);
  const PaymentDone part = pay(returned("-30", "p1 in part")).value();
  EXPECT_EQ(part.returns, "p1") << "the only one that can";
  EXPECT_EQ(owed().open(), yuan("76"));
  EXPECT_EQ(refused(returned("-30.01", "x", "p1")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(pay(returned("-30", "p1 rest", "p1"))->applied, yuan("-30"));
  EXPECT_EQ(owed().open(), yuan("106"));
  EXPECT_EQ(wallet_of_acme(), yuan("-106"));
  EXPECT_EQ(
      refused(PaymentRequest{.invoice = kNumber, .reference = "x", .amount = yuan("1"), .returns = "p1"}),
      ErrorCode::kInvalidArgument);
  expect_verified();
}

TEST_F(ReceivablesTest, WhatAnEarlierProgramGaveBackWithoutNamingItHasGoneBack) {
  PaymentDone gone = pay({.invoice = kNumber, .reference = "p1", .amount = yuan("106")}).value();
  gone.reference = "p1 bounced";
  gone.amount = yuan("-106");
  gone.applied = Money();
  ASSERT_TRUE(ledger_->write<bool>([&](Books& books) -> Result<bool> {
    write_record_rows(books.state(), std::nullopt, record_of(gone));
    return true;
  }));
  EXPECT_EQ(refused(returned("-106", "p1 bounced, told again")), ErrorCode::kInvalidArgument);
}

TEST_F(ReceivablesTest, AnOverpaymentThatIsReturnedTakesWhatItPaidAndTheRestFromTheWallet) {
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "p1", .amount = yuan("60")}));
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "p2", .amount = yuan("150")}));
  EXPECT_EQ(free_of(acme_), yuan("104"));
  EXPECT_EQ(pay(returned("-50", "p2 in part", "p2"))->applied, yuan("-46")) << "its own part first";
  EXPECT_EQ(free_of(acme_), yuan("100"));
  EXPECT_EQ(pay(returned("-100", "p2 rest", "p2"))->applied, Money());
  EXPECT_EQ(owed().paid, yuan("60"));
  EXPECT_EQ(owed().open(), yuan("46"));
  EXPECT_EQ(free_of(acme_), Money());
  expect_verified();
}

TEST_F(ReceivablesTest, WhatTheWalletPaidStaysPaidWhenAnOverpaymentIsReturned) {
  ASSERT_TRUE(ledger_->credit("acme", yuan("60"), "CNY", "", ""));
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "w", .from_wallet = true}));
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "p", .amount = yuan("100")}));
  EXPECT_EQ(refused(returned("-1", "x", "w")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(pay(returned("-100", "p back"))->applied, yuan("-46"));
  EXPECT_EQ(owed().paid, yuan("60"));
  EXPECT_EQ(free_of(acme_), Money());
  expect_verified();
}

TEST_F(ReceivablesTest, WhatANoteFreedGoesBackBeforeWhatOthersPaid) {
  ASSERT_TRUE(ledger_->credit("acme", yuan("6"), "CNY", "", ""));
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "w", .from_wallet = true}));
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "p1", .amount = yuan("50")}));
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "p2", .amount = yuan("50")}));
  ASSERT_TRUE(credit_note({.invoice = kNumber, .lines = {{1}}, .reason = "billed twice"}));
  EXPECT_EQ(owed().paid, yuan("42.40"));
  EXPECT_EQ(free_of(acme_), yuan("63.60"));
  EXPECT_EQ(pay(returned("-50", "p2 back", "p2"))->applied, Money()) << "the note freed it";
  EXPECT_EQ(owed().paid, yuan("42.40")) << "by p1 and the wallet";
  EXPECT_EQ(pay(returned("-10", "p1 in part", "p1"))->applied, yuan("-10")) << "6 of the wallet's stay";
  EXPECT_EQ(pay(returned("-40", "p1 back", "p1"))->applied, yuan("-26.40"));
  EXPECT_EQ(owed().paid, yuan("6"));
  EXPECT_EQ(owed().open(), yuan("36.40"));
  EXPECT_EQ(free_of(acme_), Money());
  expect_verified();
}

TEST_F(ReceivablesTest, WhatIsFreeGoesBackToo) {
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "b", .amount = yuan("100")}));
  ASSERT_TRUE(credit_note({.invoice = kNumber, .reason = "all"}));
  EXPECT_EQ(free_of(acme_), yuan("100"));
  EXPECT_EQ(pay({.invoice = kNumber, .reference = "b bounced", .amount = yuan("-60")})->applied, Money());
  EXPECT_EQ(free_of(acme_), yuan("40"));
  expect_verified();
}

TEST_F(ReceivablesTest, MoneyCreditedWithoutAnInvoiceCanPayOneLater) {
  EXPECT_EQ(refused({.invoice = kNumber, .reference = "w", .from_wallet = true}),
            ErrorCode::kInvalidArgument);
  ASSERT_TRUE(ledger_->credit("acme", yuan("50.005"), "CNY", "", ""));
  EXPECT_EQ(refused({.invoice = kNumber, .reference = "w", .amount = yuan("51"), .from_wallet = true}),
            ErrorCode::kInvalidArgument);
  const PaymentDone done = pay({.invoice = kNumber, .reference = "w", .from_wallet = true}).value();
  EXPECT_EQ(done.applied, yuan("50"));
  EXPECT_EQ(done.method, "Wallet");
  EXPECT_EQ(owed().open(), yuan("56"));
  EXPECT_EQ(wallet_of_acme(), yuan("-55.995"));  // as before: it was there already
  EXPECT_EQ(free_of(acme_), yuan("0.005"));
  expect_verified();
}

TEST_F(ReceivablesTest, PaymentsThatCannotBeAreRefused) {
  EXPECT_EQ(refused({.invoice = "2023-11-0002", .reference = "b"}), ErrorCode::kNotFound);
  EXPECT_EQ(refused({.invoice = kNumber, .reference = ""}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused({.invoice = kNumber, .reference = "b", .amount = yuan("0")}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused({.invoice = kNumber, .reference = "b", .amount = yuan("-1")}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused({.invoice = kNumber, .reference = "b", .method = "Wallet"}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused({.invoice = kNumber, .reference = "b", .amount = yuan("-1"), .from_wallet = true}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused({.invoice = kNumber, .reference = "b", .amount = yuan("0.001")}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused({.invoice = kNumber, .reference = "b", .amount = yuan("1"), .currency = "USD"}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused({.invoice = kNumber, .reference = std::string(250, 'x')}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(owed().open(), yuan("106"));
}

TEST_F(ReceivablesTest, ACreditNoteLowersWhatIsOpenWithItsTax) {
  const Invoice note =
      credit_note({.invoice = kNumber, .lines = {{0, yuan("10")}}, .reason = "slow"}).value();
  EXPECT_EQ(note.facts.number, "2023-11-0001-C1");
  EXPECT_EQ(note.total, yuan("-10.60"));
  EXPECT_EQ(owed().open(), yuan("95.40"));
  EXPECT_EQ(wallet_of_acme(), yuan("-95.40"));
  EXPECT_EQ(of("revenue"), yuan("90"));
  EXPECT_EQ(of("tax"), yuan("5.40"));
  EXPECT_EQ(refused(CreditRequest{.invoice = kNumber, .lines = {{0, yuan("30.01")}}, .reason = "more"}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(credit_note({.invoice = kNumber, .reason = "all"})->total, yuan("-95.40"));
  EXPECT_EQ(state_of(owed()), "credited");
  EXPECT_EQ(wallet_of_acme(), Money());
  EXPECT_EQ(of("revenue"), Money());
  EXPECT_EQ(of("tax"), Money());
  EXPECT_EQ(refused(CreditRequest{.invoice = kNumber, .reason = "again"}), ErrorCode::kConflict);
  EXPECT_EQ(refused(CreditRequest{.invoice = "2023-11-0001-C1", .reason = "x"}), ErrorCode::kNotFound);
  EXPECT_EQ(refused(CreditRequest{.invoice = kNumber, .reason = ""}), ErrorCode::kInvalidArgument);
  reopen();
  expect_verified();
}

TEST_F(ReceivablesTest, WhatWasPaidAndIsCreditedAfterwardsIsFreeAgain) {
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "b", .amount = yuan("100")}));
  const CreditRequest request{
      .invoice = kNumber, .lines = {{1}}, .reason = "billed twice", .idempotency_key = "k"};
  for (int i = 0; i < 2; ++i) EXPECT_EQ(credit_note(request)->facts.number, "2023-11-0001-C1");
  // 63.60 came back: 6 of it were open, 57.60 had been paid.
  EXPECT_EQ(owed().open(), Money());
  EXPECT_EQ(owed().paid, yuan("42.40"));
  EXPECT_EQ(owed().credited, yuan("63.60"));
  EXPECT_EQ(state_of(owed()), "paid");
  EXPECT_EQ(free_of(acme_), yuan("57.60"));
  EXPECT_EQ(wallet_of_acme(), yuan("57.60"));
  expect_verified();
}

TEST_F(ReceivablesTest, AKeyOrReferenceThatWasUsedForSomethingElseIsAConflict) {
  const CreditRequest note{
      .invoice = kNumber, .lines = {{0, yuan("10")}, {1}}, .reason = "slow", .idempotency_key = "k"};
  const std::string number = credit_note(note)->facts.number;
  CreditRequest again = note;
  again.lines = {{1}, {0, yuan("10")}};
  EXPECT_EQ(credit_note(again)->facts.number, number) << "the order of lines says nothing";
  again.lines = {{0, yuan("10")}, {1, yuan("60")}};
  EXPECT_EQ(credit_note(again)->facts.number, number) << "what was left was 60";
  using Lines = std::vector<CreditedLine>;
  for (const Lines& other : {Lines{{0, yuan("11")}, {1}}, Lines{{0, yuan("10")}}, Lines{{1}}, Lines{{0}, {0}},
                             Lines{{0, yuan("10")}, {1}, {2}}}) {
    again.lines = other;
    EXPECT_EQ(refused(again), ErrorCode::kConflict);
  }
  again.lines = {};
  EXPECT_EQ(refused(again), ErrorCode::kConflict) << "it took back a part, not all that was left";

  ASSERT_TRUE(ledger_->credit("acme", yuan("50"), "CNY", "", ""));
  const PaymentRequest from_wallet{
      .invoice = kNumber, .reference = "w", .amount = yuan("5"), .from_wallet = true};
  ASSERT_TRUE(pay(from_wallet));
  PaymentRequest new_money = from_wallet;
  new_money.from_wallet = false;
  EXPECT_EQ(refused(new_money), ErrorCode::kConflict);
  EXPECT_EQ(pay(from_wallet)->applied, yuan("5"));
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "b", .amount = yuan("1")}));
  EXPECT_EQ(refused({.invoice = kNumber, .reference = "b", .amount = yuan("1"), .from_wallet = true}),
            ErrorCode::kConflict);
  expect_verified();
}

TEST_F(ReceivablesTest, AgeingCountsDaysInTheOwnersTimeZone) {
  const auto aged = [&](const char* time) {
    return ledger_
        ->read<std::map<AgeingKey, Ageing>>(
            [&](State& state) { return ageing(state, "", parse_iso8601(time).value()); })
        ->at({acme_, "CNY"});
  };
  EXPECT_EQ(aged("2023-12-31T15:59:59Z").current, yuan("106"));
  EXPECT_EQ(aged("2023-12-31T16:00:00Z").days_1_to_30, yuan("106"));
  EXPECT_EQ(aged("2024-01-30T16:00:00Z").days_31_to_60, yuan("106"));
  EXPECT_EQ(aged("2024-02-29T16:00:00Z").days_61_to_90, yuan("106"));
  EXPECT_EQ(aged("2024-04-01T00:00:00Z").days_over_90, yuan("106"));
  ASSERT_TRUE(pay({.invoice = kNumber, .reference = "b", .amount = yuan("6")}));
  ASSERT_TRUE(credit_note({.invoice = kNumber, .lines = {{0}}, .reason = "r"}));
  EXPECT_EQ(aged("2024-04-01T00:00:00Z"), (Ageing{.days_over_90 = yuan("57.60")}));
}

}  // namespace
}  // namespace feilun::ledger
