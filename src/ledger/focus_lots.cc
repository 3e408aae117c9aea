#include "ledger/focus_lots.h"

#include <algorithm>

#include "ledger/focus.h"

namespace feilun::ledger {
namespace {

/// Of a journal that was damaged a lot may give more than it has; its shares stay within its price.
Money share(const Lot& lot, int128 from, int128 until) {
  const int128 total = lot.amount.pico();
  if (total <= 0) return {};
  const auto within = [&](int128 place) { return std::clamp<int128>(place, 0, total); };
  return amortised(lot.paid, total, within(from), std::max(within(from), within(until)));
}

}  // namespace

Result<FocusLots::Known*> FocusLots::of_account(State& state, std::string_view account) {
  if (!account.starts_with(kLotAccounts)) return nullptr;
  return find(state, account.substr(kLotAccounts.size()));
}

Result<FocusLots::Known*> FocusLots::find(State& state, std::string_view id) {
  auto place = known_.find(id);
  if (place == known_.end()) {
    Lot lot = TRY(find_lot(state, id));
    place = known_.emplace(std::string(id), Known{.lot = std::move(lot)}).first;
  }
  return &place->second;
}

Money FocusLots::use(Known& known, Money amount) {
  const int128 before = known.used;
  known.used += amount.pico();
  return share(known.lot, before, known.used);
}

Money FocusLots::give_back(Known& known, Money amount) {
  const int128 before = known.used;
  known.used -= amount.pico();
  return -share(known.lot, known.used, before);
}

Money FocusLots::leave(Known& known, Money amount) {
  const int128 until = known.lot.amount.pico() - known.unused;
  known.unused += amount.pico();
  return share(known.lot, until - amount.pico(), until);
}

}  // namespace feilun::ledger
