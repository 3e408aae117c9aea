#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>

#include "base/civil_time.h"
#include "base/money.h"
#include "base/result.h"

namespace feilun::ledger {

/// An issued invoice.
struct Receivable {
  std::string organisation_id;
  std::string number;
  std::string currency;
  Money total;
  Day due_on;
};

/// What lowers the open amount of an invoice: a payment, or the total of a credit note negated.
struct Receipt {
  std::string invoice_number;
  Money amount;
};

/// Open amounts by the days since they were due. A due day itself is not late. What was paid too much is
/// negative and counts as current.
struct Ageing {
  Money current;
  Money days_1_to_30;
  Money days_31_to_60;
  Money days_61_to_90;
  Money days_over_90;

  Money total() const { return current + days_1_to_30 + days_31_to_60 + days_61_to_90 + days_over_90; }
  friend bool operator==(const Ageing&, const Ageing&) = default;
};

/// Organisation and currency.
using AgeingKey = std::pair<std::string, std::string>;

/// The open amounts of each organisation on `today`; one that owes nothing is listed with zeros.
/// kInvalidArgument when an invoice is there twice, or a receipt is for none.
Result<std::map<AgeingKey, Ageing>> age_receivables(std::span<const Receivable> invoices,
                                                    std::span<const Receipt> receipts, Day today);

}  // namespace feilun::ledger
