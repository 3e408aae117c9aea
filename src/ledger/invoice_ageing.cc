#include "ledger/invoice_ageing.h"

namespace feilun::ledger {
namespace {

Money& bucket_of(Ageing& ageing, Money open, int days_late) {
  if (open.is_negative() || days_late <= 0) return ageing.current;
  if (days_late <= 30) return ageing.days_1_to_30;
  if (days_late <= 60) return ageing.days_31_to_60;
  if (days_late <= 90) return ageing.days_61_to_90;
  return ageing.days_over_90;
}

}  // namespace

std::string_view state_of(const Receivable& invoice) {
  if (!invoice.open().is_zero()) {
    return invoice.paid.is_zero() && invoice.credited.is_zero() ? "open" : "partly_paid";
  }
  return !invoice.credited.is_zero() && invoice.paid.is_zero() ? "credited" : "paid";
}

std::map<AgeingKey, Ageing> age_receivables(std::span<const Receivable> invoices, Day today) {
  std::map<AgeingKey, Ageing> by_organisation;
  for (const Receivable& invoice : invoices) {
    Ageing& ageing = by_organisation[{invoice.organisation_id, invoice.currency}];
    bucket_of(ageing, invoice.open(), days_between(invoice.due_on, today)) += invoice.open();
  }
  return by_organisation;
}

}  // namespace feilun::ledger
