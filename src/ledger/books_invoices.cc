#include <boost/json.hpp>

#include "ledger/audit_log.h"
#include "ledger/books.h"
#include "ledger/closed_months.h"
#include "ledger/invoice_formats.h"
#include "ledger/invoicing.h"
#include "ledger/limits.h"

// Each invoice is one entry: its record, and the postings that make its payer's wallet lose whole coins and
// its taxes. An invoice that is there is not issued again, so a run that was cut off goes on where it
// stopped.

namespace feilun::ledger {
namespace {

std::string counter_key(Month month) {
  return KeyWriter('S').text("invoice " + to_string(month)).take();
}

Result<int64_t> invoices_issued(State& state, Month month) {
  const std::string* last = TRY(state.get(counter_key(month)));
  return last == nullptr ? 0 : FieldReader(*last).number();
}

std::vector<Posting> postings_of(const Invoice& invoice, const std::string& wallet) {
  const std::string& currency = invoice.facts.currency;
  const Money tax = invoice.total - invoice.net;
  return {{"rounding", currency, -invoice.residue},
          {wallet, currency, invoice.residue},
          {wallet, currency, -tax},
          {"tax", currency, tax}};
}

}  // namespace

Result<> Books::record_made(Payload payload, std::vector<Posting> postings, Record made,
                            std::string_view payer, std::string after) {
  if (made.json.size() > kLongTextBytesMax) {
    return fail(ErrorCode::kInvalidArgument, "the {} {} is longer than the journal can keep", made.type,
                made.id);
  }
  payload.text(made.json);
  made.sequence = TRY(record_act(std::move(payload), std::move(postings),
                                 {.verb = "create",
                                  .type = made.type,
                                  .id = made.id,
                                  .parent = std::string(payer),
                                  .name = made.name,
                                  .after = std::move(after)}));
  write_record_rows(state_, std::nullopt, made);
  return {};
}

Result<Billing> Books::set_billing(Billing billing) {
  TRY(check_billing(billing));
  if (billing.owner_id != kSeller) billing.owner_id = TRY(find_buyer(state_, billing.owner_id)).id;
  const auto before = TRY(find_record(state_, "billing", billing.owner_id));
  Record after = record_of(billing);
  if (before && before->json == after.json) return billing;
  TRY(act(before ? "change" : "create", before, std::move(after)));
  return billing;
}

Result<Invoice> Books::issue_invoice(std::string_view owner, Month month) {
  const Buyer buyer = TRY(find_buyer(state_, owner));
  if (const auto there = TRY(find_record_named(state_, "invoice", invoice_name(buyer.id, month)))) {
    return issued_invoice(state_, there->id);
  }
  if (now_ < buyer.zone.period_of(month).until) {
    return fail(ErrorCode::kInvalidArgument, "{} has not ended in {}", to_string(month), buyer.zone.name());
  }
  if (buyer.is_organisation) TRY(true_up(buyer.id, month));
  Invoice invoice = TRY(draft_invoice(state_, buyer, month, now_));
  if (invoice.lines.empty()) {
    return fail(ErrorCode::kInvalidArgument, "'{}' owes nothing for {}", buyer.name, to_string(month));
  }
  const int64_t count = TRY(invoices_issued(state_, month)) + 1;
  invoice.facts.number = fmt::format("{}-{:04}", to_string(month), count);
  TRY(invoice_from_json(invoice_json(invoice)));  // what is issued must be read for ever
  Record record = record_of(invoice, buyer, month);
  Payload payload(EntryKind::kInvoice);
  payload.text(actor_).text(record.id).text(record.parent).text(record.name);
  const boost::json::object after = {{"month", to_string(month)},
                                     {"currency", invoice.facts.currency},
                                     {"total", invoice.total.to_pico_string()}};
  TRY(record_made(std::move(payload), postings_of(invoice, wallet_of(buyer.id)), std::move(record), buyer.id,
                  boost::json::serialize(after)));
  state_.put(counter_key(month), FieldWriter().number(count).take());
  TRY(close_month(state_, buyer.id, month));
  put_receivable(state_, {.organisation_id = buyer.id,
                          .number = invoice.facts.number,
                          .currency = invoice.facts.currency,
                          .due_on = invoice.due_on,
                          .total = invoice.total,
                          .paid = invoice.paid});
  TRY(add_free_money(state_, buyer.id, -invoice.paid));
  return invoice;
}

}  // namespace feilun::ledger
