#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "ledger/accounts_fixture.h"
#include "ledger/commitment.h"

namespace feilun::ledger {

/// Gives a ledger entries of every kind and rows of every table, in an organisation "acme" of its own: so
/// that whoever damages it damages each of them some time.
class LivedLedger {
 public:
  LivedLedger(Ledger& ledger, ManualClock& clock) : ledger_(ledger), clock_(clock) {}

  void live() {
    set_up();
    serve("lived_settled", 40, 10);
    serve("lived_costed", 40, 20, true);
    ASSERT_TRUE(hold("lived_released"));
    ASSERT_TRUE(wait<Settlement>(
        [&](auto done) { ledger_.release("lived_released", Outcome::kCancelled, std::move(done)); }));
    write<Refund>([](Books& books) { return books.refund({.request_id = "lived_costed"}); });
    clock_.advance(std::chrono::hours(24 * 31));
    write<int64_t>([](Books& books) { return books.expire_lots(10); });
    const Month month = TimeZone::utc().month_of(clock_.wall()) - std::chrono::months(1);
    write<std::optional<TrueUp>>([&](Books& books) { return books.true_up("acme", month); });
    const auto issued =
        ledger_.write<Invoice>([&](Books& books) { return books.issue_invoice("acme", month); });
    ASSERT_TRUE(issued) << issued.error().message;
    const std::string number = issued->facts.number;
    const auto true_up = std::ranges::find(issued->lines, LineKind::kTrueUp,
                                           [](const InvoiceLine& line) { return line.charge.kind; });
    const auto place = static_cast<size_t>(true_up - issued->lines.begin());
    write<PaymentDone>([&](Books& books) {
      return books.pay_invoice({.invoice = number, .reference = "bank 1", .amount = yuan("0.01")});
    });
    write<Invoice>([&](Books& books) {
      return books.credit_invoice({.invoice = number, .lines = {{.line = place}}, .reason = "goodwill"});
    });
    answer_notifications();
    grant(LotKind::kQuota, "CNY", yuan("1"), "0", true);
    ASSERT_TRUE(hold("lived_open"));
    ASSERT_TRUE(wait<Hold>([&](auto done) { ledger_.top_up("lived_open", 5, std::move(done)); }));
    ASSERT_TRUE(wait<TokenUsage>(
        [&](auto done) { ledger_.mark("lived_open", {.input_fresh = 40, .output = 3}, std::move(done)); }));
  }
  static constexpr int64_t kRequests = 4;
  static constexpr int64_t kOpen = 1;

 private:
  template <typename T, typename Act>
  void write(Act act) {
    const auto done = ledger_.write<T>(act);
    ASSERT_TRUE(done) << done.error().message;
  }
  void set_up() {
    write<Organisation>(
        [](Books& books) { return books.create_organisation({.name = "acme", .currency = "CNY"}); });
    write<Project>([](Books& books) { return books.create_project("red", "CNY", "acme"); });
    const Project red = ledger_.find_project("acme/red").value();
    project_ = red.id;
    write<Organisation>([](Books& books) { return books.set_credit_limit("acme", yuan("0.5")); });
    Billing billing{.owner_id = red.organisation, .taxes = std::vector<TaxRate>{{"VAT", "6"}}};
    write<Billing>([&](Books& books) { return books.set_billing(billing); });
    ASSERT_TRUE(ledger_.credit("acme", yuan("0.5"), "CNY", "gift", "lived"));
    PriceVersion contract{.offering = "nano", .currency = "CNY", .organisation = red.organisation};
    const Money unit = Money::pico(700'000);
    contract.rows = pricing::flat_rows({unit, unit, unit, unit, unit});
    write<PriceVersion>([&](Books& books) { return books.set_price(contract); });
    grant(LotKind::kPackage, "TOK", token_amount(60), "0.00001", false);
    grant(LotKind::kCredit, "CNY", yuan("0.000004"), "0", false);
    grant(LotKind::kPlan, "CNY", yuan("1"), "0.5", true);
    write<Webhook>([&](Books& books) {
      return books.set_webhook({.organisation = red.organisation, .url = "https://example.com"});
    });
    SpendLimit limit{.scope = project_, .measure = Measure::kTokens, .window_s = 3600};
    limit.bound = Quantity::pico(1000);
    limit.alerts = {1, 2, 3};
    write<SpendLimit>([&](Books& books) { return books.set_limit(limit); });
    const Month from = TimeZone::utc().month_of(clock_.wall());
    write<Commitment>([&](Books& books) {
      return books.commit({.organisation = "acme", .currency = "CNY", .amount = yuan("0.1"), .from = from});
    });
  }
  void grant(LotKind kind, const char* unit, Money amount, const char* paid, bool expires) {
    Lot lot{.kind = kind, .unit = unit, .amount = amount, .paid = yuan(paid)};
    if (expires) lot.expires = clock_.wall() + std::chrono::hours(1);
    write<LotBalance>([&](Books& books) { return books.grant("acme", lot, ""); });
  }
  Result<Hold> hold(const std::string& id) {
    HoldRequest asked{.request_id = id, .key_id = "key_lived", .project_id = project_, .offering = "nano"};
    asked.input_tokens = 40;
    asked.output_slice = 30;
    asked.claim = Claim{.key = "once " + id};
    return ledger_.hold_now(asked);
  }
  void serve(const std::string& id, TokenCount input, TokenCount output, bool costed = false) {
    ASSERT_TRUE(hold(id));
    std::optional<RequestCost> cost;
    if (costed)
      cost = {
          .attributed = std::chrono::hours(1), .currency = "CNY", .per_hour = yuan("1"), .cost = yuan("1")};
    ASSERT_TRUE(wait<Settlement>([&](auto done) {
      ledger_.settle(id, {.input_fresh = input, .output = output}, Outcome::kCompleted, cost,
                     std::move(done));
    }));
  }
  /// One arrives, one fails and waits, one has not been tried.
  void answer_notifications() {
    write<void>([&](Books& books) -> Result<> {
      const auto due = TRY(read_outbox(books.state(), clock_.wall(), {.due = 10})).due;
      EXPECT_GE(due.size(), 3u);
      TRY(books.notified(due[0], true));
      return books.notified(due[1], false);
    });
  }

  Ledger& ledger_;
  ManualClock& clock_;
  std::string project_;
};

}  // namespace feilun::ledger
