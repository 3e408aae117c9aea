#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/civil_time.h"
#include "base/money.h"
#include "base/result.h"

namespace feilun::ledger {

/// An issued invoice, as a sum that is owed.
struct Receivable {
  std::string organisation_id;
  std::string number;
  std::string currency;
  Day due_on{};
  Money total;
  Money paid;      ///< from the wallet when it was issued, and by payments since
  Money credited;  ///< by credit notes

  Money open() const { return total - paid - credited; }
  friend bool operator==(const Receivable&, const Receivable&) = default;
};

/// "open" (nothing was paid yet), "partly_paid", "paid", or "credited" (credit notes took all of it back).
std::string_view state_of(const Receivable& invoice);

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
std::map<AgeingKey, Ageing> age_receivables(std::span<const Receivable> invoices, Day today);

}  // namespace feilun::ledger
