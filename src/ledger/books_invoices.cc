#include "ledger/books.h"
#include "ledger/invoice_formats.h"
#include "ledger/invoicing.h"
#include "ledger/rollups.h"

// The monthly run. Each invoice is one entry: its record, and the posting of what rounding gave or took, so
// that after it a wallet has lost whole coins. A run that was cut off goes on where it stopped, because an
// invoice that is there is not issued again.

namespace feilun::ledger {
namespace {

std::string counter_key(Month month) {
  return KeyWriter('S').text("invoice " + to_string(month)).take();
}

}  // namespace

Result<Invoice> Books::issue_invoice(std::string_view owner, Month month) {
  const Buyer buyer = TRY(find_buyer(state_, owner));
  if (const auto there = TRY(find_record_named(state_, "invoice", invoice_name(buyer, month)))) {
    return issued_invoice(state_, there->id);
  }
  if (now_ < buyer.zone.period_of(month).until) {
    return fail(ErrorCode::kInvalidArgument, "{} has not ended in {}", to_string(month), buyer.zone.name());
  }
  Invoice invoice = TRY(draft_invoice(state_, buyer, month, now_));
  const std::string* last = TRY(state_.get(counter_key(month)));
  const int64_t count = (last == nullptr ? 0 : FieldReader(*last).number()) + 1;
  invoice.facts.number = fmt::format("{}-{:04}", to_string(month), count);
  Record record = record_of(invoice, buyer, month);
  Payload payload(EntryKind::kInvoice);
  payload.text(actor_).text(record.id).text(record.parent).text(record.name).text(record.json);
  const std::vector<Posting> postings = {{"rounding", buyer.currency, -invoice.residue},
                                         {wallet_of(buyer.id), buyer.currency, invoice.residue}};
  record.sequence = TRY(this->record(std::move(payload), postings));
  write_record_rows(state_, std::nullopt, record);
  state_.put(counter_key(month), FieldWriter().number(count).take());
  return invoice;
}

Result<std::vector<Invoice>> Books::issue_invoices(Month month) {
  std::vector<Invoice> issued;
  for (const std::string& payer : TRY(payers_with_usage(state_))) {
    const Buyer buyer = TRY(find_buyer(state_, payer));
    if (TRY(monthly_usage(state_, buyer.id, month)).empty()) continue;
    if (TRY(find_record_named(state_, "invoice", invoice_name(buyer, month)))) continue;
    issued.push_back(TRY(issue_invoice(buyer.id, month)));
  }
  return issued;
}

}  // namespace feilun::ledger
