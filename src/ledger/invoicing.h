#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/invoice.h"
#include "ledger/record.h"
#include "ledger/state.h"

// Invoices from what the state has summed by month. An invoice is issued once a month has ended in its
// payer's time zone; what it says is then a record, and the same facts make the same bytes for ever.

namespace feilun::ledger {

/// Who pays: an organisation, or a project with a wallet of its own.
struct Buyer {
  std::string id;
  std::string name;
  std::string currency;
  TimeZone zone = TimeZone::utc();
};

/// By id or name. kNotFound when there is neither such an organisation nor such a project.
Result<Buyer> find_buyer(State& state, std::string_view owner);

/// What the buyer's requests of the month come to, one line for each project, offering, tier, token class and
/// price.
Result<std::vector<ChargeLine>> charge_lines(State& state, const Buyer& buyer, Month month);

/// The invoice as it would be now, without a number: of a month that has not ended, what there is so far.
Result<Invoice> draft_invoice(State& state, const Buyer& buyer, Month month, WallTime issued);

struct IssuedInvoice {
  std::string number;  ///< "2026-10-0001": counted within the month
  std::string buyer_id;
  Month month;
  WallTime issued;
  std::string json;                          ///< as invoice_json() gave it
  std::string buyer_name;                    ///< when it was issued
  std::map<std::string, std::string> names;  ///< of projects, by id, when it was issued
};

/// "2026-10-0001" and the record that keeps it.
Record record_of(const Invoice& invoice, const Buyer& buyer, Month month);
/// The record's name: a buyer has one invoice a month.
std::string invoice_name(const Buyer& buyer, Month month);

/// Of a buyer, or of all when there is none; oldest number first.
Result<std::vector<IssuedInvoice>> issued_invoices(State& state, std::string_view buyer_id);
/// The invoice of that number, made again from the sums. kCorrupt when it is not what was issued.
Result<Invoice> issued_invoice(State& state, std::string_view number);

}  // namespace feilun::ledger
