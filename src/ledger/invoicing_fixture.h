#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/civil_time.h"
#include "ledger/accounts_fixture.h"
#include "ledger/invoice_formats.h"
#include "ledger/invoicing.h"

namespace feilun::ledger {

/// A ledger with an organisation "acme" in Shanghai that has a credit limit, and its projects "blue" and
/// "red".
class InvoicingTest : public AccountsTest {
 protected:
  InvoicingTest() {
    acme_ = make_organisation("acme", "Asia/Shanghai");
    red_ = make_project("red");
    blue_ = make_project("blue");
  }
  std::string make_organisation(const char* name, const char* zone) {
    const auto made = ledger_->write<Organisation>([&](Books& books) -> Result<Organisation> {
      TRY(books.create_organisation({.name = name, .currency = "CNY", .time_zone = zone}));
      return books.set_credit_limit(name, yuan("1000"));
    });
    EXPECT_TRUE(made);
    return made->id;
  }
  std::string make_project(const char* name, const char* organisation = "acme") {
    return ledger_
        ->write<Project>([&](Books& books) { return books.create_project(name, "CNY", organisation); })
        ->id;
  }
  /// One request of so many output tokens, at 0.6 yuan a million.
  void serve(const std::string& project, TokenCount tokens) {
    HoldRequest asked = request(fmt::format("r{}", ++requests_), 0, tokens);
    asked.project_id = project;
    const auto held = ledger_->hold_now(asked);
    ASSERT_TRUE(held) << held.error().message;
    settle(asked.request_id, {.output = tokens});
  }
  void go_to(std::string_view time) { clock_.advance(parse_iso8601(time).value() - clock_.wall()); }

  static Month month(const char* text) { return parse_month(text).value(); }
  Result<Invoice> try_issue(const std::string& owner, const char* of_month) {
    return ledger_->write<Invoice>([&](Books& books) { return books.issue_invoice(owner, month(of_month)); });
  }
  Invoice issue(const std::string& owner, const char* of_month) {
    auto issued = try_issue(owner, of_month);
    EXPECT_TRUE(issued) << issued.error().message;
    return issued.value_or(Invoice());
  }
  std::vector<std::string> run(const char* of_month) {
    std::vector<std::string> numbers;
    EXPECT_TRUE(run_invoices(*ledger_, month(of_month), clock_.wall(), "",
                             [&](const Invoice& invoice) { numbers.push_back(invoice.facts.number); }));
    return numbers;
  }
  /// Every paper in the ledger, by its number.
  std::map<std::string, std::string> papers() {
    return ledger_
        ->read<std::map<std::string, std::string>>(
            [](State& state) -> Result<std::map<std::string, std::string>> {
              std::map<std::string, std::string> all;
              for (const Receivable& each : TRY(receivables(state, "", 1000))) {
                all[each.number] = invoice_json(TRY(issued_invoice(state, each.number)));
                for (const CreditNote& note : TRY(credit_notes_of(state, each.number))) {
                  all[note.note.facts.number] = invoice_json(note.note);
                }
              }
              return all;
            })
        .value();
  }
  Result<PaymentDone> pay(const PaymentRequest& request) {
    return ledger_->write<PaymentDone>([&](Books& books) { return books.pay_invoice(request); });
  }
  Result<Invoice> credit_note(const CreditRequest& request) {
    return ledger_->write<Invoice>([&](Books& books) { return books.credit_invoice(request); });
  }
  Result<Billing> set_billing(const Billing& billing) {
    return ledger_->write<Billing>([&](Books& books) { return books.set_billing(billing); });
  }
  Receivable owed(const std::string& number) {
    return ledger_
        ->read<Receivable>([&](State& state) -> Result<Receivable> {
          return find_receivable(state, TRY(issued_invoice(state, number)).facts.organisation_id, number);
        })
        .value();
  }
  Money free_of(const std::string& payer) {
    return ledger_->read<Money>([&](State& state) { return free_money(state, payer); }).value();
  }
  Money wallet_of_acme() { return of(wallet_of(acme_)); }

  static std::vector<const InvoiceLine*> lines_of(const Invoice& invoice, LineKind kind) {
    std::vector<const InvoiceLine*> lines;
    for (const InvoiceLine& line : invoice.lines) {
      if (line.charge.kind == kind) lines.push_back(&line);
    }
    return lines;
  }

  std::string acme_, red_, blue_;
  int64_t requests_ = 0;
};

}  // namespace feilun::ledger
