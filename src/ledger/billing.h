#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/invoice.h"
#include "ledger/record.h"
#include "ledger/state.h"

namespace feilun::ledger {

/// Whose billing record is the seller's: the operator's organisation.
inline constexpr std::string_view kSeller = "default";
inline constexpr int kDueDaysDefault = 30;

/// What invoices say of a payer beside its charges, or of the seller. An invoice takes what holds when it is
/// issued, and keeps it.
struct Billing {
  std::string owner_id;  ///< a payer's, or kSeller
  Party party;           ///< without a name: the owner's own
  /// Added to each invoice; none of them: no tax. Not said: what the seller says for all.
  std::optional<std::vector<TaxRate>> taxes;
  /// Days from the issue of an invoice until it is due. Not said: what the seller says for all, or 30.
  std::optional<int> due_days;
};

Record record_of(const Billing& billing);
Result<Billing> billing_from(const Record& record);
/// An empty one where nothing was ever said.
Result<Billing> find_billing(State& state, std::string_view owner_id);
/// kInvalidArgument for texts, taxes or days that no invoice can have.
Result<> check_billing(const Billing& billing);

/// "VAT=6": a tax's name and its percentage.
Result<TaxRate> parse_tax(std::string_view text);

}  // namespace feilun::ledger
