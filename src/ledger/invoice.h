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

/// What a line is for. Lines of usage have tokens; what follows them gives money back where it is negative.
enum class LineKind : uint8_t {
  kUsage = 0,
  kUncharged = 1,  ///< what requests cost beyond what was held for them: negative
  kLotBought = 2,  ///< a package, or a plan at what was paid for it
  kTrueUp = 3,     ///< what the month lacked of a commitment
  kLotSpent = 4,   ///< usage that a credit, quota or plan paid for: negative
  kRefund = 5,     ///< what came back to the wallet in the period: negative
};
/// "usage", "uncharged", "lot_bought", "true_up", "lot_spent", "refund".
std::string_view name_of(LineKind kind);
/// The reverse of name_of. kInvalidArgument.
Result<LineKind> parse_line_kind(std::string_view name);

/// Charges of one kind at one price. Lines without tokens have no class.
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
  LineKind kind = LineKind::kUsage;
  std::string reference;  ///< the lot or commitment that the line is about

  friend bool operator==(const ChargeLine&, const ChargeLine&) = default;
};

struct TaxRate {
  std::string name;
  std::string percent;  ///< decimal text such as "6" or "8.25"; 0 to 100, at most six decimals

  friend bool operator==(const TaxRate&, const TaxRate&) = default;
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
  Money tax;     ///< its share of all taxes

  friend bool operator==(const InvoiceLine&, const InvoiceLine&) = default;
};

struct TaxLine {
  TaxRate rate;
  Money amount;  ///< of the rounded net, rounded half away from zero
};

/// Σ lines = net; net + Σ taxes = total; total − paid = due; exact − net = residue. Of each tax the lines
/// have shares that sum to it, also by largest remainder.
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
/// Notes a payment on it: what is due is so much less.
void add_payment(Invoice& invoice, Payment payment);
/// The sums that follow from lines, taxes and payments.
void close_sums(Invoice& invoice);

/// The amounts that lines are rounded to, in the order of `exact`: the total is their sum rounded to `unit`,
/// distributed by largest remainder; equal remainders go by place. Amounts that are multiples stay.
std::vector<Money> round_lines(std::span<const Money> exact, Money unit);

/// `percent` of `net`, a multiple of `unit`, rounded to `unit`, halves away from zero. kInvalidArgument when
/// the percentage is not as TaxRate says.
Result<Money> tax_of(Money net, std::string_view percent, Money unit);

}  // namespace feilun::ledger
