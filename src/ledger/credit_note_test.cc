#include "ledger/credit_note.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "ledger/invoice_fixture.h"

namespace feilun::ledger {
namespace {

Invoice invoice_of(std::initializer_list<const char*> amounts, std::vector<TaxRate> taxes = {}) {
  InvoiceFacts facts = invoice_facts();
  for (const char* amount : amounts) {
    ChargeLine line;
    line.description = fmt::format("line {}", facts.lines.size());
    line.project_name = line.description;  // so that lines stay in this order
    line.project_id = line.description;
    line.amount = money(amount);
    facts.lines.push_back(line);
  }
  facts.taxes = std::move(taxes);
  return make_invoice(facts).value();
}

/// Notes on one invoice, one after the other.
class Notes {
 public:
  explicit Notes(Invoice invoice) : invoice_(std::move(invoice)) {}

  Result<CreditNote> issue(std::vector<CreditedLine> lines) {
    auto made = make_credit_note(invoice_, {"C", "why", std::move(lines), taken_, invoice_.facts.issued});
    if (made) {
      taken_.insert(taken_.end(), made->taken.begin(), made->taken.end());
      total += made->note.total;
      residue += made->note.residue;
      for (const TaxLine& tax : made->note.taxes) taxes += tax.amount;
    }
    return made;
  }
  ErrorCode refused(std::vector<CreditedLine> lines) { return issue(std::move(lines)).error().code; }
  const Invoice& invoice() const { return invoice_; }

  Money total, residue, taxes;

 private:
  Invoice invoice_;
  std::vector<TakenBack> taken_;
};

TEST(CreditNote, OverAllPartsOfAllLinesTakesBackExactlyTheInvoice) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 300; ++round) {
    InvoiceFacts facts = invoice_facts();
    const size_t count = 1 + random() % 8;
    for (size_t i = 0; i < count; ++i) {
      facts.lines.push_back({.project_id = std::to_string(i)});
      facts.lines.back().amount = Money::pico(static_cast<int128>(random() % 900'000'000'000));
    }
    facts.taxes = {{"VAT", "6"}, {"Levy", "0.333333"}};
    Notes notes(make_invoice(facts).value());
    for (size_t i = 0; i < count; ++i) {
      const Money amount = notes.invoice().lines[i].amount;
      if (amount > money("0.02")) {
        ASSERT_TRUE(notes.issue({{i, money("0.02")}}));
      }
      if (random() % 2 == 0) notes.issue({{i}});
    }
    notes.issue({});
    EXPECT_EQ(notes.total, -notes.invoice().total);
    EXPECT_EQ(notes.residue, -notes.invoice().residue);
    EXPECT_EQ(notes.refused({}), ErrorCode::kConflict);
  }
}

TEST(CreditNote, ReversesTheTaxOfItsLinesAtTheirRate) {
  Notes notes(invoice_of({"100", "50"}, {{"VAT", "6"}}));
  const CreditNote part = notes.issue({{0, money("25")}}).value();
  EXPECT_EQ(part.note.net, money("-25"));
  EXPECT_EQ(part.note.taxes[0].amount, money("-1.50"));
  EXPECT_EQ(part.note.lines[0].tax, money("-1.50"));
  EXPECT_EQ(part.note.total, money("-26.50"));
  EXPECT_EQ(part.note.lines[0].charge.quantity, 0);
  EXPECT_EQ(notes.issue({{1}})->note.total, money("-53"));
}

TEST(CreditNote, TheLastPartOfALineTakesItsResidueToo) {
  Notes notes(invoice_of({"1.004", "1.004"}));
  const Invoice& invoice = notes.invoice();
  ASSERT_EQ(invoice.lines[0].amount, money("1.01"));  // 2.008 is 2.01
  EXPECT_EQ(notes.issue({{0, money("0.50")}})->note.residue, Money());
  const CreditNote rest = notes.issue({{0}}).value();
  EXPECT_EQ(rest.note.net, money("-0.51"));
  EXPECT_EQ(rest.note.exact, money("-0.504"));
  EXPECT_EQ(notes.refused({{0}}), ErrorCode::kConflict);
}

TEST(CreditNote, NeverTakesMoreThanIsLeft) {
  Notes notes(invoice_of({"1", "2"}));
  EXPECT_EQ(notes.refused({{2}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(notes.refused({{0, money("1.01")}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(notes.refused({{0, money("-0.01")}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(notes.refused({{0, money("0")}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(notes.refused({{0, money("0.001")}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(notes.refused({{0}, {0}}), ErrorCode::kConflict);
  ASSERT_TRUE(notes.issue({{0, money("0.60")}}));
  EXPECT_EQ(notes.refused({{0, money("0.41")}}), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(notes.issue({{0, money("0.40")}}));
  EXPECT_EQ(notes.refused({{0}}), ErrorCode::kConflict);
  const Invoice note = notes.issue({{1}})->note;
  EXPECT_EQ(make_credit_note(note, {"D", "", {{0}}, {}, note.facts.issued}).error().code,
            ErrorCode::kConflict);
}

TEST(CreditNote, NeverTakesMoreThanTheInvoiceAskedFor) {
  Notes notes(invoice_of({"10", "-7"}));  // a credit has paid 7 of it
  EXPECT_EQ(notes.refused({{0}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(notes.refused({{1}}), ErrorCode::kInvalidArgument);  // it would take money
  ASSERT_TRUE(notes.issue({{0, money("2")}}));
  EXPECT_EQ(notes.refused({{0, money("1.01")}}), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(notes.issue({}));
  EXPECT_EQ(notes.total, money("-3"));
}

}  // namespace
}  // namespace feilun::ledger
