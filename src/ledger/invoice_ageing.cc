#include "ledger/invoice_ageing.h"

#include <string_view>
#include <unordered_map>

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

Result<std::map<AgeingKey, Ageing>> age_receivables(std::span<const Receivable> invoices,
                                                    std::span<const Receipt> receipts, Day today) {
  std::unordered_map<std::string_view, Money> open;
  for (const Receivable& invoice : invoices) {
    if (!open.emplace(invoice.number, invoice.total).second) {
      return fail(ErrorCode::kInvalidArgument, "invoice {} is listed twice", invoice.number);
    }
  }
  for (const Receipt& receipt : receipts) {
    const auto found = open.find(receipt.invoice_number);
    if (found == open.end()) {
      return fail(ErrorCode::kInvalidArgument, "a receipt is for invoice {}, which is not listed",
                  receipt.invoice_number);
    }
    found->second -= receipt.amount;
  }
  std::map<AgeingKey, Ageing> by_organisation;
  for (const Receivable& invoice : invoices) {
    Ageing& ageing = by_organisation[{invoice.organisation_id, invoice.currency}];
    const Money amount = open[invoice.number];
    bucket_of(ageing, amount, days_between(invoice.due_on, today)) += amount;
  }
  return by_organisation;
}

}  // namespace feilun::ledger
