#pragma once

/// What an organisation owes for a period. Charges are exact to the pico-unit; coins are not. So an invoice
/// rounds once: its total is the exact sum rounded to the currency's smallest coin, and each line is rounded
/// down, after which the coins still missing go, one each, to the lines that lost most (largest remainder).
/// The lines then sum to the total, no line is off by a whole coin, and what rounding gave or took is one
/// number, the residue, that the ledger posts to its rounding account.
///
/// Everything here is a function of its arguments: the same facts make the same invoice, byte for byte.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/civil_time.h"
#include "base/money.h"
#include "base/result.h"
#include "pricing/price.h"

namespace feilun::ledger {

/// Charges of one kind at one price. Lines without tokens (a true-up, a package, a refund, a credit that was
/// used up) have no class, and lines that give money back are negative.
struct ChargeLine {
  std::string project_id;  ///< empty: of the organisation as a whole
  std::string project_name;
  std::string offering;
  pricing::ServiceTier tier = pricing::ServiceTier::kDefault;
  std::string token_class;  ///< "input", "cache_read", "cache_write", "output", "reasoning" or empty
  int64_t price_id = 0;
  Money unit;               ///< a token
  TokenCount quantity = 0;  ///< all tokens, also the covered ones
  TokenCount covered = 0;   ///< of these, what packages paid for
  Money amount;             ///< exact
  std::string description;

  friend bool operator==(const ChargeLine&, const ChargeLine&) = default;
};

struct TaxRate {
  std::string name;
  std::string percent;  ///< decimal text such as "6" or "8.25"; 0 to 100, at most six decimals
};

/// Who issues an invoice, or who receives it. `address` is printed line by line.
struct Party {
  std::string name;
  std::vector<std::string> address;
  std::string tax_number;
};

struct Payment {
  std::string reference;
  std::string method;  ///< as printed: "Wallet", "Bank transfer"
  WallTime received;
  Money amount;  ///< negative: paid back
};

struct InvoiceFacts {
  std::string number;
  std::string organisation_id;
  Party seller;
  Party buyer;
  std::string currency;
  TimeZone zone = TimeZone::utc();  ///< dates are printed in it
  Period period;
  std::vector<ChargeLine> lines;
  std::vector<TaxRate> taxes;  ///< each is of the net, none of another tax
  std::vector<Payment> payments;
  WallTime issued;
  int due_days = 30;
};

struct InvoiceLine {
  ChargeLine charge;
  Money amount;  ///< rounded

  friend bool operator==(const InvoiceLine&, const InvoiceLine&) = default;
};

struct TaxLine {
  TaxRate rate;
  Money amount;  ///< of the rounded net, rounded half away from zero
};

/// Σ lines = net; net + Σ taxes = total; total − paid = due; exact − net = residue.
struct Invoice {
  InvoiceFacts facts;    ///< without its lines, which are below in their order
  std::string corrects;  ///< a credit note's: the number of the invoice it takes back from
  std::string reason;    ///< a credit note's
  std::vector<InvoiceLine> lines;
  Money exact;
  Money net;
  Money residue;
  std::vector<TaxLine> taxes;
  Money total;
  Money paid;
  Money due;
  Day due_on;
  int digits = 2;  ///< decimals of the currency
};

/// Lines come in order of project, offering, tier, class, price, whatever order the facts give them in.
/// kInvalidArgument for a currency that is none, or a tax rate that is none.
Result<Invoice> make_invoice(InvoiceFacts facts);

struct CreditNoteFacts {
  std::string number;
  std::string reason;
  std::vector<size_t> lines;           ///< indices in invoice.lines to take back, whole
  std::vector<size_t> lines_reversed;  ///< those that earlier notes took back
  WallTime issued;
};

/// The reverse of some lines of an invoice: the same rounded amounts negated, the same share of the residue,
/// and of each tax the difference that the lines make, so that notes over all lines take back exactly the
/// invoice's total. kInvalidArgument for no line or one that is not there, kConflict for one taken back
/// twice or a note of a note.
Result<Invoice> make_credit_note(const Invoice& invoice, CreditNoteFacts facts);

/// The amounts that lines are rounded to, in the order of `exact`: the total is their sum rounded to `unit`,
/// distributed by largest remainder; equal remainders go by place. Amounts that are multiples stay.
std::vector<Money> round_lines(std::span<const Money> exact, Money unit);

/// `percent` of `net`, a multiple of `unit`, rounded to `unit`, halves away from zero. kInvalidArgument when
/// the percentage is not as TaxRate says.
Result<Money> tax_of(Money net, std::string_view percent, Money unit);

}  // namespace feilun::ledger
