#include "ledger/focus.h"

#include "base/check.h"
#include "ledger/currency.h"

namespace feilun::ledger {
namespace {

/// Taxes, credits and adjustments have an amount but no price.
bool is_priced(const FocusCharge& charge) {
  return charge.category == ChargeCategory::kUsage || charge.category == ChargeCategory::kPurchase;
}

Money sum(std::span<const FocusCharge> charges, Money (*cost)(const FocusCharge&)) {
  Money total;
  for (const FocusCharge& charge : charges) total += cost(charge);
  return total;
}

FocusCharge charge_of(const Invoice& invoice, ChargeCategory category, Money billed) {
  const InvoiceFacts& facts = invoice.facts;
  FocusCharge charge;
  charge.organisation_id = facts.organisation_id;
  charge.organisation_name = facts.buyer.name;
  charge.currency = facts.currency;
  charge.invoice_number = facts.number;
  charge.billing_period = charge.charge_period = facts.period;
  charge.category = category;
  charge.corrects_invoiced = !invoice.corrects.empty();
  charge.billed = billed;
  return charge;
}

}  // namespace

Money list_cost_of(const FocusCharge& charge) {
  if (charge.list_cost) return *charge.list_cost;
  return is_priced(charge) ? charge.list_unit * charge.quantity : charge.billed;
}

Money contracted_cost_of(const FocusCharge& charge) {
  if (charge.contracted_cost) return *charge.contracted_cost;
  return is_priced(charge) ? charge.contracted_unit * charge.quantity : charge.billed;
}

Money effective_cost_of(const FocusCharge& charge) {
  if (charge.effective) return *charge.effective;
  return charge.category == ChargeCategory::kPurchase ? Money() : charge.billed;
}

Money amortised(Money price, TokenCount total, TokenCount before, TokenCount after) {
  CHECK(0 < total && 0 <= before && before <= after && after <= total);
  // ⌊price × count ÷ total⌋ in two terms, neither of which needs more than 128 bits.
  const auto until = [&](TokenCount count) {
    const int128 whole = price.pico() / total, rest = price.pico() % total;
    return Money::pico(whole) * count + Money::pico(rest * count / total);
  };
  return until(after) - until(before);
}

Result<std::vector<FocusCharge>> focus_invoice_charges(const Invoice& invoice,
                                                       std::span<const FocusCharge> charges) {
  const Money billed = sum(charges, [](const FocusCharge& charge) { return charge.billed; });
  if (billed != invoice.exact) {
    return fail(ErrorCode::kCorrupt, "the charges of invoice {} sum to {}, its lines to {}",
                invoice.facts.number, billed.to_string(), invoice.exact.to_string());
  }
  const Money unit = smallest_unit(invoice.digits);
  std::vector<FocusCharge> rows;
  for (const TaxLine& tax : invoice.taxes) {
    const auto tax_on = [&](Money (*cost)(const FocusCharge&)) {
      return tax_of(round_to(sum(charges, cost), unit), tax.rate.percent, unit);
    };
    FocusCharge row = charge_of(invoice, ChargeCategory::kTax, tax.amount);
    row.list_cost = TRY(tax_on(list_cost_of));
    row.contracted_cost = TRY(tax_on(contracted_cost_of));
    row.effective = TRY(tax_on(effective_cost_of));
    row.description = fmt::format("{} {}%", tax.rate.name, tax.rate.percent);
    rows.push_back(std::move(row));
  }
  if (!invoice.residue.is_zero()) {
    rows.push_back(charge_of(invoice, ChargeCategory::kAdjustment, -invoice.residue));
    rows.back().description = "Rounding of the invoice to the smallest coin";
  }
  return rows;
}

}  // namespace feilun::ledger
