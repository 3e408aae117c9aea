#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/charged_request.h"
#include "ledger/closed_months.h"
#include "ledger/focus.h"
#include "ledger/focus_lots.h"
#include "ledger/invoicing.h"
#include "ledger/state.h"

namespace feilun::ledger {

/// A buyer in the month that is exported, and what its rows sum to so far.
struct FocusAccount {
  Buyer buyer;
  Period period;
  CountingMonths months;
  std::string invoice_number;  ///< empty: none yet
  FocusCosts costs;            ///< without what is on credit notes
  Money charged;               ///< by settles
};

/// Gathers what requests were charged into a row for each hour, project, key, offering, tier, price, token
/// class and what paid, and keeps what each buyer's rows sum to.
class FocusRows {
 public:
  /// `scope`: the buyer asked for, "default" for those of its projects, or empty for everyone.
  FocusRows(Month month, std::string scope) : month_(month), scope_(std::move(scope)) {}

  /// nullptr of a buyer who is not asked for.
  Result<FocusAccount*> account(State& state, std::string_view payer);
  std::vector<FocusAccount*> accounts();

  /// A charge of the buyer's month as a whole.
  static FocusCharge charge_of(const FocusAccount& account);
  /// The hour of a moment, within the buyer's month that has it.
  static Period hour_of(const FocusAccount& account, WallTime time);

  /// Adds the parts of a request as charged, or, when it gives back, as refunded. Lots move on by them.
  Result<> add_request(State& state, FocusAccount& account, const ChargedRequest& request,
                       const std::vector<ChargePart>& parts, bool gives_back, FocusLots& lots);
  /// A package or plan: bought, or left unused when it expired.
  void add_lot(FocusAccount& account, const Lot& lot, FocusCommitment::Part part, WallTime when,
               Money quantity, Money cost);
  /// Any other row.
  void add(FocusCharge charge);
  /// The units by which a request is charged. kCorrupt when the price has no such row.
  Result<const pricing::UnitPrices*> units_of(State& state, const ChargedRequest& request);

  /// Moves what was gathered behind `rows`.
  void flush(std::vector<FocusCharge>& rows);
  size_t waiting() const { return waiting_; }

 private:
  struct GroupKey {
    std::string buyer;
    WallTime from;
    std::string project;
    std::string key;
    std::string offering;
    pricing::ServiceTier tier = pricing::ServiceTier::kDefault;
    int64_t price_id = 0;
    size_t price_row = 0;
    int64_t list_price_id = 0;
    size_t list_row = 0;
    bool gives_back = false;

    friend auto operator<=>(const GroupKey&, const GroupKey&) = default;
  };
  struct Group {
    FocusCharge like;  ///< what its rows have in common
    const pricing::UnitPrices* units = nullptr;
    const pricing::UnitPrices* list_units = nullptr;
    std::map<std::pair<const TokenClass*, std::string>, FocusCharge>
        rows;  ///< by what was bought and paid, or ""
  };
  struct Priced {
    const PriceVersion* version;
    size_t row;
    const pricing::UnitPrices& units() const { return version->rows[row].units; }
  };

  Result<Priced> priced(State& state, const ChargedRequest& request);
  /// The list price of what was charged by a contract.
  Result<Priced> listed(State& state, const ChargedRequest& request, const Priced& charged);
  Result<const PriceVersion*> price(State& state, int64_t id);
  Result<Group*> group_of(State& state, const FocusAccount& account, const ChargedRequest& request,
                          bool gives_back);
  FocusCharge& row_of(Group& group, const TokenClass& token_class, const FocusLots::Known* bought);
  void add_credit(const FocusAccount& account, const FocusCharge& like, const FocusLots::Known* lot,
                  Money amount);
  Result<std::string> key_name(State& state, const std::string& key_id);
  Result<std::string> project_name(State& state, const std::string& project_id);
  Result<bool> is_asked_for(State& state, const Buyer& buyer) const;

  Month month_;
  std::string scope_;
  std::map<std::string, std::optional<FocusAccount>, std::less<>> accounts_;
  std::map<int64_t, PriceVersion> prices_;
  std::map<std::string, std::string> names_;
  std::map<GroupKey, Group> groups_;
  std::map<std::pair<GroupKey, std::string>, FocusCharge> credits_;
  std::vector<FocusCharge> others_;
  size_t waiting_ = 0;
};

}  // namespace feilun::ledger
