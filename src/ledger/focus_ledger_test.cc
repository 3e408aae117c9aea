#include <gtest/gtest.h>

#include <set>

#include "ledger/focus_market.h"
#include "ledger/focus_verdicts.h"
#include "ledger/rollups.h"
#include "ledger/sealing.h"
#include "ledger/test_stores.h"

namespace feilun::ledger {
namespace {

using focus_rules::Table;

class FocusLedger : public FocusMarket {
 protected:
  /// The export with what the checks compare it with.
  FocusSample sample() {
    FocusSample sample;
    sample.charges = exported_all();
    sample.invoices = invoices_;
    sample.invoices.insert(sample.invoices.end(), notes_.begin(), notes_.end());
    for (int64_t id = 1;; ++id) {
      auto version = ledger_->read<PriceVersion>([&](State& state) { return find_price(state, id); });
      if (!version) break;
      sample.prices[id] = *std::move(version);
    }
    for (const Lot& lot : granted_) {
      sample.products[fmt::format("{}/{}", name_of(lot.kind), lot.id)] = lot.sequence;
    }
    return sample;
  }
  static bool is_added(const Table& table, size_t row) {
    return table.at(row, "ChargeCategory") == "Tax" ||
           table.at(row, "ChargeDescription").value_or("").starts_with("Rounding");
  }
};

TEST_F(FocusLedger, EveryRuleHoldsOnTenThousandMixedRequests) {
  using namespace focus_rules;
  SKIP_WITHOUT(testdata_path(kRulesFile));
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  constexpr int kRequests = 2'000;  // these take ten times as long
#else
  constexpr int kRequests = 10'000;
#endif
  ASSERT_NO_FATAL_FAILURE(trade(kRequests));
  expect_verified();
  EXPECT_EQ(requests_, kRequests);
  EXPECT_GT(refunds_, kRequests / 20);
  const FocusSample sample = this->sample();
  const Table table = table_of(sample);
  const Rules rules = read_rules(table);
  std::set<std::string> idle;
  for (const auto& [id, outcome] : evaluate_all(rules, table)) {
    EXPECT_NE(outcome.verdict, Verdict::kBroken)
        << id << ": " << rules.at(id).sentence << ' ' << outcome.detail;
    if (outcome.verdict == Verdict::kHolds && outcome.rows == 0) idle.insert(id);
  }
  EXPECT_EQ(idle, std::set<std::string>{"BilledCost-C-005-C"});  // of charges that someone else invoices
  for (const DynamicCheck& check : dynamic_checks()) {
    EXPECT_EQ(check.check({sample, table}), "") << by_family({check.rules.begin(), check.rules.end()});
  }
}

TEST_F(FocusLedger, BilledIsWhatTheLedgerTookAndWhatTheInvoicesSay) {
  ASSERT_NO_FATAL_FAILURE(trade(2'000));
  const FocusSample sample = this->sample();
  const Table table = focus_rules::table_of(sample);
  std::map<std::string, Money> by_account, by_currency, by_invoice;
  TokenCount tokens = 0;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const Money billed = money(*table.at(row, "BilledCost"));
    by_account[*table.at(row, "BillingAccountId")] += billed;
    if (!is_added(table, row)) {
      by_currency[*table.at(row, "BillingCurrency")] += billed;
      by_invoice[table.at(row, "InvoiceId").value_or("")] += billed;
    }
    const auto& used = table.at(row, "ConsumedQuantity");
    if (used && !used->starts_with('-')) tokens += std::stoll(*used);
  }
  EXPECT_EQ(tokens, tokens_);
  for (const auto& [name, buyer] : buyers_) {
    EXPECT_TRUE(of(held_of(buyer.id), buyer.currency).is_zero());
    EXPECT_EQ(by_account["wallets/" + buyer.id], buyer.credited - of(wallet_of(buyer.id), buyer.currency))
        << name;
  }
  for (const char* currency : {"CNY", "USD"}) {
    // What lots of money paid is revenue too, but nobody's bill.
    Money lots = -of("breakage", currency);
    for (const Lot& lot : granted_) {
      if (lot.unit == currency) lots += lot.amount - of(lot_account(lot.id), currency);
    }
    EXPECT_GT(lots, Money());
    EXPECT_EQ(by_currency[currency], of("revenue", currency) - lots) << currency;
  }
  ASSERT_EQ(sample.invoices.size(), 7u);
  for (const Invoice& invoice : sample.invoices) {
    EXPECT_FALSE(invoice.exact.is_zero());
    EXPECT_EQ(by_invoice[invoice.facts.number], invoice.exact) << invoice.facts.number;
  }
}

TEST_F(FocusLedger, OneBuyersRowsAreThoseItHasAmongAll) {
  ASSERT_NO_FATAL_FAILURE(trade(400));
  const auto all = exported(kMonths[1]).value();
  for (const auto& [name, owner] :
       {std::pair{"acme", "acme"}, {"globex", "globex"}, {"default", "default"}}) {
    std::string wanted;
    for (const FocusCharge& charge : all) {
      if (charge.organisation_id == buyers_[name].id) append_focus_row(wanted, {}, charge);
    }
    std::string got;
    for (const FocusCharge& charge : exported(kMonths[1], owner).value()) append_focus_row(got, {}, charge);
    EXPECT_EQ(got, wanted) << owner;
    EXPECT_FALSE(got.empty());
  }
  EXPECT_EQ(exported(kMonths[1], "nobody").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(exported("2023-01")->empty());
}

TEST_F(FocusLedger, SealedEntriesGiveTheSameRows) {
  ASSERT_NO_FATAL_FAILURE(trade(1'000));
  const std::string before = focus_csv({}, exported_all());
  ledger_.reset();
  {
    const auto store = open_store(directory_.path(), schema_);
    while (seal_oldest(*store, {.run = 500, .kept = 100}).value()) {
    }
  }
  reopen();
  EXPECT_EQ(focus_csv({}, exported_all()), before);
}

TEST_F(FocusLedger, AMonthWhoseSumsAreNotItsJournalsIsRefused) {
  ASSERT_NO_FATAL_FAILURE(trade(100));
  ASSERT_TRUE(exported(kMonths[2]));
  act<bool>([&](Books& books) -> Result<bool> {
    TRY(add_usage(books.state(), project_id(), clock_.wall(), parse_month(kMonths[2]).value(),
                  {.project_id = project_id(), .offering = "nano", .price_id = 1},
                  {.requests = 1, .charged = Money::pico(1)}));
    return true;
  });
  EXPECT_EQ(exported(kMonths[2]).error().code, ErrorCode::kCorrupt);
}

TEST_F(FocusLedger, HoursAreCutWhereTheBuyersMonthBegins) {
  go_to("2024-02-28T00:00:00Z");
  add_buyer("tata", "CNY", "Asia/Kolkata", 1);
  ASSERT_TRUE(ledger_->credit("tata", yuan("1"), "CNY", "", ""));
  set_up_price();
  for (const char* time : {"2024-02-29T18:29:59.999Z", "2024-02-29T18:30:00Z", "2024-02-29T18:30:00.001Z"}) {
    go_to(time);
    act<Settlement>([&](Books& books) -> Result<Settlement> {
      HoldRequest asked = request(time, 10, 10);
      asked.project_id = buyers_["tata"].projects[0];
      TRY(books.hold(asked));
      return books.settle(time, {.input_fresh = 10}, Outcome::kCompleted);
    });
  }
  const auto february = exported("2024-02").value(), march = exported("2024-03").value();
  ASSERT_EQ(february.size(), 1u);
  ASSERT_EQ(march.size(), 1u);
  EXPECT_EQ(february[0].quantity, 10);
  EXPECT_EQ(march[0].quantity, 20);
  EXPECT_EQ(february[0].charge_period,
            (Period{time_at("2024-02-29T18:00:00Z"), time_at("2024-02-29T18:30:00Z")}));
  EXPECT_EQ(march[0].charge_period,
            (Period{time_at("2024-02-29T18:30:00Z"), time_at("2024-02-29T19:00:00Z")}));
  EXPECT_EQ(february[0].billing_period.until, march[0].billing_period.from);
}

TEST_F(FocusLedger, AMonthIsOfTheZoneThatTheBuyerHadThen) {
  go_to("2024-02-20T00:00:00Z");
  add_buyer("nomad", "CNY", "Asia/Shanghai", 1);
  ASSERT_TRUE(ledger_->credit("nomad", yuan("1"), "CNY", "", ""));
  set_up_price();
  const auto serve = [&](const char* time) {
    go_to(time);
    act<Settlement>([&](Books& books) -> Result<Settlement> {
      HoldRequest asked = request(time, 10, 10);
      asked.project_id = buyers_["nomad"].projects[0];
      TRY(books.hold(asked));
      return books.settle(time, {.input_fresh = 10}, Outcome::kCompleted);
    });
  };
  serve("2024-02-29T15:00:00Z");
  serve("2024-02-29T17:00:00Z");  // March in Shanghai
  act<Organisation>(
      [](Books& books) { return books.change_organisation("nomad", {.time_zone = "America/New_York"}); });
  serve("2024-02-29T18:00:00Z");  // February again in New York
  const auto tokens = [&](const char* month) {
    TokenCount sum = 0;
    const auto rows = exported(month);
    EXPECT_TRUE(rows) << rows.error().message;
    for (const FocusCharge& row : rows.value_or(std::vector<FocusCharge>())) sum += row.quantity;
    return sum;
  };
  EXPECT_EQ(tokens("2024-02"), 20);
  EXPECT_EQ(tokens("2024-03"), 10);
}

TEST_F(FocusLedger, WhatIsChargedInAClosedMonthCorrectsItInTheNext) {
  go_to("2024-02-20T00:00:00Z");
  add_buyer("acme", "CNY", "Asia/Shanghai", 1);
  ASSERT_TRUE(ledger_->credit("acme", yuan("1"), "CNY", "", ""));
  set_up_price();
  int served = 0;
  const auto serve = [&](const char* time) {
    go_to(time);
    const std::string id = fmt::format("r{}", ++served);
    act<Settlement>([&](Books& books) -> Result<Settlement> {
      HoldRequest asked = request(id, 10, 10);
      asked.project_id = buyers_["acme"].projects[0];
      TRY(books.hold(asked));
      return books.settle(id, {.input_fresh = 10}, Outcome::kCompleted);
    });
  };
  const auto issue = [&](const char* month) {
    invoices_.push_back(
        act<Invoice>([&](Books& books) { return books.issue_invoice("acme", parse_month(month).value()); }));
  };
  serve("2024-02-21T00:00:00Z");
  go_to("2024-03-05T00:00:00Z");
  issue("2024-02");
  serve("2024-02-22T03:04:05Z");  // the clock was set back
  serve("2024-03-06T00:00:00Z");
  go_to("2024-04-05T00:00:00Z");
  issue("2024-03");
  const auto february = exported("2024-02").value();
  const auto march = exported("2024-03").value();
  Money billed;
  for (const FocusCharge& row : february) billed += row.billed;
  EXPECT_EQ(billed, invoices_[0].total);
  billed = Money();
  TokenCount corrected = 0;
  for (const FocusCharge& row : march) {
    billed += row.billed;
    if (!row.corrects_invoiced) continue;
    corrected += row.quantity;
    EXPECT_EQ(row.charge_period.from, time_at("2024-02-22T03:00:00Z"));
  }
  EXPECT_EQ(billed, invoices_[1].total);
  EXPECT_EQ(corrected, 10);
}

}  // namespace
}  // namespace feilun::ledger
