#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/invoice.h"
#include "ledger/invoice_ageing.h"
#include "ledger/ledger.h"
#include "ledger/record.h"
#include "ledger/state.h"

// Invoices from what the state has summed by month. An invoice is issued once a month has ended in its
// payer's time zone. What it says is then in the journal whole, and follows no later change: of names, of
// prices, of time zones, of who the seller is.

namespace feilun::ledger {

/// Who pays: an organisation, or a project with a wallet of its own.
struct Buyer {
  std::string id;
  std::string name;
  std::string currency;
  TimeZone zone = TimeZone::utc();
  bool is_organisation = false;
};

/// By id or name. kNotFound when there is neither such an organisation nor such a project.
Result<Buyer> find_buyer(State& state, std::string_view owner);

/// The lines of the buyer's month as far as it is known at `now`: usage by project, offering, tier, token
/// class and price; the lots it bought; what a commitment lacks, once the month is over; less what its lots
/// of money paid and what was refunded to its wallet. Their exact sum is what its wallet paid to revenue.
Result<std::vector<ChargeLine>> charge_lines(State& state, const Buyer& buyer, Month month, WallTime now);

/// The invoice as it would be now, without a number: of a month that has not ended, what there is so far.
/// The buyer's free money pays as much of it as it can.
Result<Invoice> draft_invoice(State& state, const Buyer& buyer, Month month, WallTime now);

/// The record that keeps an invoice.
Record record_of(const Invoice& invoice, const Buyer& buyer, Month month);
/// The record's name: a buyer has one invoice a month.
std::string invoice_name(std::string_view payer_id, Month month);

/// The invoice of that number, as it was issued. kNotFound.
Result<Invoice> issued_invoice(State& state, std::string_view number);
Result<Month> month_of_invoice(State& state, std::string_view number);

/// What each payer (or the one asked for) has open, by currency, on a day; without one, on the day that `now`
/// is in the payer's time zone.
Result<std::map<AgeingKey, Ageing>> ageing(State& state, std::string_view payer_id, WallTime now,
                                           std::optional<Day> on = {});

/// The buyers, by id, whose month has ended and who have something to be invoiced of it and no invoice yet.
Result<std::vector<Buyer>> buyers_to_invoice(State& state, Month month, WallTime now);

/// Issues what is missing of a month, each invoice on its own: a run that was cut off is simply run again.
/// Buyers whose month has not ended yet in their time zone are left for later. `issued` hears of each. One
/// that fails keeps no other from being issued; the first failure is told at the end. Blocks.
Result<> run_invoices(Ledger& ledger, Month month, WallTime now, std::string_view actor,
                      const std::function<void(const Invoice&)>& issued);

}  // namespace feilun::ledger
