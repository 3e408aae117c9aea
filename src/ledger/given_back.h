#pragma once

#include <map>
#include <span>
#include <string>

#include "base/civil_time.h"
#include "base/money.h"
#include "base/result.h"
#include "ledger/credit_note.h"
#include "ledger/rollups.h"
#include "ledger/state.h"

// A charge comes back once: by a refund of its request, or by a credit note on the invoice of its month. The
// two know of each other by sums of refunds, kept by the month of the charge and by what an invoice's lines
// of usage are told apart by: project, offering, tier and price version.

namespace feilun::ledger {

/// The month in which a payer was charged, and for what; of the key neither API key nor price row.
struct MonthCharge {
  std::string payer_id;
  Month month;
  UsageKey key;
};

/// What refunds gave back of the charges for one key.
struct GivenBack {
  Money refunded;   ///< to the wallet and to lots of money
  Money elsewhere;  ///< of that, to the wallet on the invoice of a later month
};

Result<> add_given_back(State& state, const MonthCharge& charge, const GivenBack& more);

/// What is left of an invoice's charges behind refunds and credit notes.
class ChargesLeft {
 public:
  static Result<ChargesLeft> of(State& state, const Invoice& invoice, Month month,
                                std::span<const TakenBack> noted);

  /// One more refund.
  void refund(const UsageKey& key, Money amount) { kinds_[key].refunded += amount; }
  /// kConflict when what notes took of the lines of a key was refunded too (but for so much as the notes took
  /// back of lines that gave money back), or when the wallet would get back more than it paid.
  Result<> check() const;

 private:
  struct Kind {
    Money charged, noted, refunded;
  };
  std::map<UsageKey, Kind> kinds_;
  Money left_;       ///< of the invoice's exact sum, behind notes
  Money elsewhere_;  ///< of all kinds
  Money returned_;   ///< of lines that gave money back
};

}  // namespace feilun::ledger
