#include "ledger/focus.h"

#include "base/check.h"
#include "ledger/currency.h"

namespace feilun::ledger {
namespace {

/// Taxes, credits and adjustments have an amount but no price.
bool is_priced(const FocusCharge& charge) {
  return charge.category == ChargeCategory::kUsage || charge.category == ChargeCategory::kPurchase;
}

/// ⌊a × b ÷ c⌋ for 0 ≤ b ≤ c and a below 2¹²⁶, by the bits of b: the product may need 256 of them.
int128 part_of(int128 a, int128 b, int128 c) {
  int128 quotient = 0;
  int128 rest = 0;
  for (int bit = 126; bit >= 0; --bit) {
    quotient *= 2;
    rest *= 2;
    if ((b >> bit & 1) != 0) {
      quotient += a / c;
      rest += a % c;
    }
    quotient += rest / c;
    rest %= c;
  }
  return quotient;
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

Money amortised(Money price, int128 total, int128 before, int128 after) {
  CHECK(0 < total && 0 <= before && before <= after && after <= total);
  const auto until = [&](int128 count) { return Money::pico(part_of(price.pico(), count, total)); };
  return until(after) - until(before);
}

FocusCosts& FocusCosts::operator+=(const FocusCharge& charge) {
  billed += charge.billed;
  list += list_cost_of(charge);
  contracted += contracted_cost_of(charge);
  effective += effective_cost_of(charge);
  return *this;
}

Result<std::vector<FocusCharge>> focus_invoice_charges(const Invoice& invoice, const FocusCosts& charges) {
  if (charges.billed != invoice.exact) {
    return fail(ErrorCode::kCorrupt, "the charges of invoice {} sum to {}, its lines to {}",
                invoice.facts.number, charges.billed.to_string(), invoice.exact.to_string());
  }
  const Money unit = smallest_unit(invoice.digits);
  std::vector<FocusCharge> rows;
  for (const TaxLine& tax : invoice.taxes) {
    const auto tax_on = [&](Money cost) { return tax_of(round_to(cost, unit), tax.rate.percent, unit); };
    FocusCharge row = charge_of(invoice, ChargeCategory::kTax, tax.amount);
    row.list_cost = TRY(tax_on(charges.list));
    row.contracted_cost = TRY(tax_on(charges.contracted));
    row.effective = TRY(tax_on(charges.effective));
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
