#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/lots.h"

namespace feilun::ledger {

/// Where each lot stands while the journal is read: how much of it was used, and how much was left when it
/// expired. Used from the front and left from the back, so each piece has its share of what was paid for the
/// lot, and the shares of all pieces sum to it.
class FocusLots {
 public:
  struct Known {
    Lot lot;
    int128 used = 0;  ///< of its face, in pico
    int128 unused = 0;
    bool is_bought() const { return lot.kind == LotKind::kPackage || lot.kind == LotKind::kPlan; }
  };

  /// The lot of an account "lot:…"; nullptr of any other account. Good for as long as this is.
  Result<Known*> of_account(State& state, std::string_view account);
  Result<Known*> find(State& state, std::string_view id);

  /// These move where it stands and return the share of the price.
  static Money use(Known& known, Money amount);
  static Money give_back(Known& known, Money amount);  ///< negative
  static Money leave(Known& known, Money amount);

 private:
  std::map<std::string, Known, std::less<>> known_;
};

}  // namespace feilun::ledger
