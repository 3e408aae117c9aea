#include "ledger/invoicing.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "ledger/invoicing_fixture.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr TokenCount kMillion = 1'000'000;

TEST_F(InvoicingTest, AMonthRunTwiceGivesTheSameBytes) {
  serve(red_, 3 * kMillion);
  serve(blue_, kMillion + 1);
  const std::string other = make_organisation("globex", "UTC");
  serve(make_project("main", "globex"), 2 * kMillion);
  go_to("2023-12-02T00:00:00Z");
  EXPECT_EQ(run("2023-11"), (std::vector<std::string>{"2023-11-0001", "2023-11-0002"}));
  const auto before = papers();
  EXPECT_EQ(run("2023-11"), std::vector<std::string>());
  go_to("2024-02-01T00:00:00Z");
  EXPECT_EQ(run("2023-11"), std::vector<std::string>());
  EXPECT_EQ(invoice_json(issue("acme", "2023-11")),
            before.at(owed("2023-11-0001").organisation_id == acme_ ? "2023-11-0001" : "2023-11-0002"));
  EXPECT_EQ(papers(), before);
  // Nothing that changes later changes what was issued.
  ASSERT_TRUE(ledger_->write<Organisation>([&](Books& books) {
    return books.change_organisation("acme", {.name = "umbrella", .time_zone = "America/New_York"});
  }));
  ASSERT_TRUE(ledger_->write<Project>([&](Books& books) { return books.rename_project(red_, "crimson"); }));
  ASSERT_TRUE(set_billing({.owner_id = std::string(kSeller), .party = {.name = "Seller Ltd."}}));
  reopen();
  EXPECT_EQ(papers(), before);
  expect_verified();
}

TEST_F(InvoicingTest, OneThatFailsKeepsNoOtherFromBeingIssued) {
  make_organisation("late", "UTC");
  const std::string web = make_project("web", "late");
  serve(red_, kMillion);
  serve(web, kMillion);
  // As an earlier program let it be made.
  ASSERT_TRUE(ledger_->write<bool>([&](Books& books) -> Result<bool> {
    const Record sound = TRY(find_record(books.state(), "organisation", acme_)).value();
    Record spoilt = sound;
    spoilt.json.replace(spoilt.json.find("CNY"), 3, "ZZZ");
    write_record_rows(books.state(), sound, spoilt);
    return true;
  }));
  go_to("2023-12-02T00:00:00Z");
  std::vector<std::string> issued;
  const auto done = run_invoices(*ledger_, month("2023-11"), clock_.wall(), "",
                                 [&](const Invoice& invoice) { issued.push_back(invoice.facts.number); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "'ZZZ' is not a national currency of ISO 4217");
  EXPECT_EQ(issued.size(), 1U);
}

TEST_F(InvoicingTest, AKillBetweenTwoInvoicesIsResumed) {
  if (test_on_postgres()) GTEST_SKIP() << "the directory is copied";
  for (const char* name : {"a", "b", "c"}) {
    make_organisation(name, "UTC");
    serve(make_project("main", name), kMillion);
  }
  serve(red_, 5 * kMillion);
  go_to("2023-12-02T00:00:00Z");
  ledger_.reset();
  TemporaryDirectory copy;
  std::filesystem::copy(directory_.path(), copy.path() / "whole", std::filesystem::copy_options::recursive);

  const pid_t child = fork();
  if (child == 0) {
    // Dies right after the first invoice is durable; a check here would only print.
    auto ledger = Ledger::open(options(false));
    if (ledger) {
      (void)run_invoices(**ledger, month("2023-11"), clock_.wall(), "",
                         [](const Invoice&) { raise(SIGKILL); });
    }
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

  reopen(false);
  EXPECT_EQ(papers().size(), 1u);
  EXPECT_EQ(run("2023-11").size(), 3u);
  const auto resumed = papers();
  expect_verified();
  LedgerOptions whole = options(false);
  whole.directory = copy.path() / "whole";
  ledger_.reset();
  ledger_ = Ledger::open(whole).value();
  EXPECT_EQ(run("2023-11").size(), 4u);
  EXPECT_EQ(papers(), resumed);
}

TEST_F(InvoicingTest, LinesSumToWhatTheWalletPaidWhateverPaidForTheUsage) {
  ASSERT_TRUE(ledger_->credit("acme", yuan("100"), "CNY", "", ""));
  grant(money_lot("0.5"), "acme");
  Lot plan = money_lot("2");
  plan.kind = LotKind::kPlan;
  plan.paid = yuan("1.5");
  plan.priority = 5;
  const std::string plan_id = grant(plan, "acme").substr(kLotAccounts.size());
  Lot tokens = package(kMillion);
  tokens.paid = yuan("0.333");
  grant(tokens, "acme");
  // 1M by the package; of 5M at 0.6: 0.5 by the credit, 2 by the plan, 0.5 by the wallet.
  serve(red_, kMillion);
  serve(red_, 5 * kMillion);
  serve(blue_, 1'234'567);
  ASSERT_TRUE(ledger_->write<Refund>([](Books& books) {
    return books.refund({.request_id = "r3", .amount = yuan("0.1"), .reason = "slow"});
  }));
  ASSERT_TRUE(ledger_->write<Refund>([](Books& books) {
    return books.refund({.request_id = "r2", .amount = yuan("0.75"), .reason = "0.5 to the wallet"});
  }));
  ASSERT_TRUE(ledger_->write<Commitment>([](Books& books) {
    return books.commit({.organisation = "acme",
                         .currency = "CNY",
                         .amount = yuan("10"),
                         .from = parse_month("2023-11").value()});
  }));
  go_to("2023-12-01T00:00:00Z");
  const Invoice invoice = issue("acme", "2023-11");
  // The wallet, by the acts above: 1.5 + 0.333 + 0.5 + 0.7407402 - 0.1 - 0.5 + (10 - 3.7407402).
  EXPECT_EQ(invoice.exact, yuan("8.733"));
  EXPECT_EQ(invoice.net, yuan("8.73"));
  EXPECT_EQ(of("rounding"), -invoice.residue);
  EXPECT_EQ(wallet_of_acme(), yuan("100") - invoice.total);

  EXPECT_EQ(lines_of(invoice, LineKind::kLotBought).size(), 2u);
  const auto spent = lines_of(invoice, LineKind::kLotSpent);
  ASSERT_EQ(spent.size(), 2u);
  const auto of_plan = std::ranges::find(spent, plan_id, [](auto* line) { return line->charge.reference; });
  ASSERT_NE(of_plan, spent.end());
  EXPECT_EQ((*of_plan)->charge.amount, yuan("-2"));
  EXPECT_EQ(lines_of(invoice, LineKind::kTrueUp).at(0)->charge.amount, yuan("6.2592598"));
  EXPECT_EQ(lines_of(invoice, LineKind::kRefund).at(0)->charge.amount, yuan("-0.6"));
  const auto usage = lines_of(invoice, LineKind::kUsage);
  ASSERT_EQ(usage.size(), 2u);
  EXPECT_EQ(usage[1]->charge.quantity, 6 * kMillion);
  EXPECT_EQ(usage[1]->charge.covered, kMillion);
  expect_verified();
}

TEST_F(InvoicingTest, ARefundOfAnEndedMonthIsOnTheNextInvoiceUntilTheMonthIsInvoiced) {
  serve(red_, 5 * kMillion);
  go_to("2023-12-01T00:00:00Z");
  const auto refund = [&] {
    return ledger_->write<Refund>(
        [](Books& books) { return books.refund({.request_id = "r1", .amount = yuan("1"), .reason = ""}); });
  };
  ASSERT_TRUE(refund());
  const Invoice november = issue("acme", "2023-11");
  EXPECT_EQ(november.total, yuan("3"));
  const auto everything = ledger_->write<Invoice>([&](Books& books) {
    return books.credit_invoice({.invoice = november.facts.number, .reason = "again"});
  });
  ASSERT_FALSE(everything) << "a part came back already";
  EXPECT_EQ(everything.error().code, ErrorCode::kConflict);
  // From here on a credit note gives back: both would give back twice.
  const auto late = refund();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kConflict);
  EXPECT_NE(late.error().message.find("credit note"), std::string::npos);
  go_to("2024-01-01T00:00:00Z");
  const Invoice next = issue("acme", "2023-12");
  EXPECT_EQ(next.total, yuan("-1"));
  EXPECT_EQ(next.due, Money());
  EXPECT_EQ(free_of(acme_), yuan("1"));
  expect_verified();
}

TEST_F(InvoicingTest, APrepaidWalletPaysItsInvoicesAndTheirTaxes) {
  ASSERT_TRUE(set_billing({.owner_id = std::string(kSeller),
                           .party = {"Feilun Cloud", {"1 Wheel Street", "Hangzhou"}, "9133"},
                           .taxes = {{{"VAT", "6"}}},
                           .due_days = 14}));
  ASSERT_TRUE(set_billing({.owner_id = "acme", .party = {"ACME GmbH", {"Berlin"}, "DE1"}}));
  ASSERT_TRUE(ledger_->credit("acme", yuan("10"), "CNY", "", ""));
  serve(red_, 10 * kMillion);
  go_to("2023-12-01T00:00:00Z");
  const Invoice first = issue("acme", "2023-11");
  EXPECT_EQ(first.total, yuan("6.36"));
  EXPECT_EQ(first.paid, yuan("6.36"));
  EXPECT_TRUE(first.due.is_zero());
  EXPECT_EQ(first.facts.seller.name, "Feilun Cloud");
  EXPECT_EQ(first.facts.buyer.tax_number, "DE1");
  EXPECT_EQ(to_string(first.due_on), "2023-12-15");
  EXPECT_EQ(wallet_of_acme(), yuan("3.64"));
  EXPECT_EQ(free_of(acme_), yuan("3.64"));
  EXPECT_EQ(of("tax"), yuan("0.36"));
  serve(red_, 10 * kMillion);
  ASSERT_TRUE(set_billing({.owner_id = "acme", .taxes = {{}}}));
  go_to("2024-01-01T00:00:00Z");
  const Invoice second = issue("acme", "2023-12");
  EXPECT_EQ(second.total, yuan("6"));
  EXPECT_EQ(second.paid, yuan("3.64"));
  EXPECT_EQ(second.due, yuan("2.36"));
  EXPECT_EQ(wallet_of_acme(), yuan("-2.36"));
  EXPECT_EQ(state_of(owed("2023-11-0001")), "paid");
  EXPECT_EQ(state_of(owed("2023-12-0001")), "partly_paid");
  expect_verified();
}

TEST_F(InvoicingTest, BillingThatNoInvoiceCanHaveIsRefused) {
  EXPECT_FALSE(set_billing({.owner_id = "acme", .taxes = {{{"VAT", "101"}}}}));
  EXPECT_FALSE(set_billing({.owner_id = "acme", .taxes = {{{"", "1"}}}}));
  EXPECT_FALSE(set_billing({.owner_id = "acme", .due_days = -1}));
  EXPECT_FALSE(set_billing({.owner_id = "acme", .party = {.name = "two\nlines"}}));
  EXPECT_EQ(set_billing({.owner_id = "nobody"}).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(parse_tax("VAT"));
  EXPECT_FALSE(parse_tax("=6"));
  EXPECT_EQ(parse_tax("a=b=6.5").value(), (TaxRate{"a=b", "6.5"}));
}

TEST_F(InvoicingTest, NothingIsIssuedForNothingOrTooEarly) {
  EXPECT_EQ(try_issue("acme", "2023-10").error().code, ErrorCode::kInvalidArgument);
  serve(red_, kMillion);
  EXPECT_EQ(try_issue("acme", "2023-11").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(run("2023-11"), std::vector<std::string>());
  EXPECT_EQ(try_issue("nobody", "2023-11").error().code, ErrorCode::kNotFound);
  go_to("2023-12-01T00:00:00Z");
  ASSERT_TRUE(try_issue("acme", "2023-11"));
  // What was invoiced is not committed to afterwards.
  const auto late = ledger_->write<Commitment>([](Books& books) {
    return books.commit({.organisation = "acme",
                         .currency = "CNY",
                         .amount = yuan("10"),
                         .from = parse_month("2023-11").value()});
  });
  EXPECT_EQ(late.error().code, ErrorCode::kConflict);
}

TEST_F(InvoicingTest, ACommitmentWithoutAnyUsageIsInvoiced) {
  ASSERT_TRUE(ledger_->write<Commitment>([](Books& books) {
    return books.commit({.organisation = "acme",
                         .currency = "CNY",
                         .amount = yuan("10"),
                         .from = parse_month("2023-11").value()});
  }));
  go_to("2023-12-01T00:00:00Z");
  EXPECT_EQ(run("2023-11").size(), 1u);
  EXPECT_EQ(owed("2023-11-0001").total, yuan("10"));
  expect_verified();
}

/// A month's end in a zone, and which months meet there.
struct MonthEnd {
  const char* zone;
  const char* at;  ///< the first moment of `next`
  const char* month;
  const char* next;
};

class MonthEnds : public InvoicingTest, public ::testing::WithParamInterface<MonthEnd> {};

TEST_P(MonthEnds, AMillisecondDecidesWhichInvoiceAChargeIsOn) {
  const MonthEnd& end = GetParam();
  const std::string owner = make_organisation("zoned", end.zone);
  const std::string project = make_project("main", "zoned");
  const WallTime at = parse_iso8601(end.at).value();
  clock_.advance(at - milliseconds(1) - clock_.wall());
  serve(project, kMillion);
  clock_.advance(milliseconds(1));
  serve(project, 2 * kMillion);
  clock_.advance(milliseconds(1));
  serve(project, 4 * kMillion);
  const Invoice before = issue("zoned", end.month);
  clock_.advance(hours(24) * 40);
  const Invoice after = issue("zoned", end.next);
  EXPECT_EQ(before.lines.at(0).charge.quantity, kMillion);
  EXPECT_EQ(after.lines.at(0).charge.quantity, 6 * kMillion);
  EXPECT_EQ(before.facts.period.until, at);
  EXPECT_EQ(after.facts.period.from, at);
  expect_verified();
}

INSTANTIATE_TEST_SUITE_P(InThreeZones, MonthEnds,
                         ::testing::Values(
                             // Leap days, ends of months of every length, and months with 743 and 745 hours.
                             MonthEnd{"Asia/Shanghai", "2024-02-29T16:00:00Z", "2024-02", "2024-03"},
                             MonthEnd{"Asia/Shanghai", "2023-12-31T16:00:00Z", "2023-12", "2024-01"},
                             MonthEnd{"America/New_York", "2024-03-01T05:00:00Z", "2024-02", "2024-03"},
                             MonthEnd{"America/New_York", "2024-04-01T04:00:00Z", "2024-03", "2024-04"},
                             MonthEnd{"America/New_York", "2024-12-01T05:00:00Z", "2024-11", "2024-12"},
                             MonthEnd{"Europe/Berlin", "2024-02-29T23:00:00Z", "2024-02", "2024-03"},
                             MonthEnd{"Europe/Berlin", "2024-03-31T22:00:00Z", "2024-03", "2024-04"},
                             MonthEnd{"Europe/Berlin", "2024-10-31T23:00:00Z", "2024-10", "2024-11"},
                             MonthEnd{"Europe/Berlin", "2025-02-28T23:00:00Z", "2025-02", "2025-03"}));

TEST_F(InvoicingTest, TheHourThatComesTwiceIsChargedOnceEach) {
  const std::string owner = make_organisation("zoned", "Europe/Berlin");
  const std::string project = make_project("main", "zoned");
  go_to("2024-10-27T00:30:00Z");  // 02:30, and an hour later 02:30 again
  serve(project, kMillion);
  clock_.advance(hours(1));
  serve(project, 2 * kMillion);
  go_to("2024-11-01T00:00:00Z");
  const Invoice invoice = issue("zoned", "2024-10");
  EXPECT_EQ(invoice.lines.at(0).charge.quantity, 3 * kMillion);
  EXPECT_EQ(invoice.facts.period.until - invoice.facts.period.from, hours(745));
}

TEST_F(InvoicingTest, TenMillionTinyChargesLeaveTheirResidueInItsAccount) {
  // Every token is a charge of its own, of a price that no coin divides; the ledger adds them in requests,
  // and the test in integers of its own.
  const Money units[] = {Money::pico(123'457), Money::pico(30'011), Money::pico(70'009), Money::pico(611'953),
                         Money::pico(999'983)};
  PriceVersion odd = price("odd");
  odd.rows = pricing::flat_rows({units[0], units[1], units[2], units[3], units[4]});
  ASSERT_TRUE(ledger_->set_price(odd));
  constexpr int kRequests = 1'000, kAtOnce = 50;
  int128 pico = 0;
  TokenCount tokens = 0;
  const auto serve_one = [&](Books& books, int i) -> Result<> {
    TokenUsage usage{.input_fresh = 2'000 + i % 7, .cache_read = 1'200 + i % 11, .cache_write = 400 + i % 13};
    usage.output = 3'700 + i % 17;
    usage.reasoning = 2'800 + i % 19;
    const std::string id = fmt::format("tiny{}", i);
    TRY(books.hold({.request_id = id,
                    .key_id = "key_test",
                    .project_id = i % 3 == 0 ? red_ : blue_,
                    .offering = "odd",
                    .input_tokens = usage.input(),
                    .output_slice = usage.total_output()}));
    TRY(books.settle(id, usage, Outcome::kCompleted));
    const TokenCount counts[] = {usage.input_fresh, usage.cache_read, usage.cache_write, usage.output,
                                 usage.reasoning};
    for (size_t k = 0; k < std::size(counts); ++k) {
      for (TokenCount token = 0; token < counts[k]; ++token) pico += units[k].pico();
      tokens += counts[k];
    }
    return {};
  };
  for (int first = 0; first < kRequests; first += kAtOnce) {
    const auto served = ledger_->write<void>([&](Books& books) -> Result<> {
      for (int i = first; i < first + kAtOnce; ++i) TRY(serve_one(books, i));
      return {};
    });
    ASSERT_TRUE(served) << served.error().message;
  }
  ASSERT_GT(tokens, 10'000'000);
  EXPECT_EQ(wallet_of_acme(), Money::pico(-pico));
  go_to("2023-12-01T00:00:00Z");
  const Invoice invoice = issue("acme", "2023-11");
  constexpr int128 kFen = 10'000'000'000;
  const int128 fen = pico / kFen + (pico % kFen >= kFen / 2 ? 1 : 0);
  EXPECT_EQ(invoice.total, Money::pico(fen * kFen));
  EXPECT_EQ(of("rounding"), Money::pico(fen * kFen - pico));
  EXPECT_EQ(wallet_of_acme(), -invoice.total);
  EXPECT_NE(pico % kFen, 0);
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
