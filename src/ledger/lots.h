#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/money.h"
#include "base/result.h"
#include "ledger/journal.h"
#include "ledger/record.h"
#include "ledger/state.h"

// Lots: what a payer may spend beside its wallet, each with terms of its own. Free credit, a quota, a savings
// plan (bought for less than its face) are lots of money; a resource package is a lot of tokens. A lot is a
// record, which never changes, and an account "lot:ID".
//
// A hold must not search: one row for each payer lists its live lots (those whose account is not empty) in
// the order in which they are spent, and most payers have no such row.

namespace feilun::ledger {

enum class LotKind : uint8_t { kCredit = 0, kQuota = 1, kPackage = 2, kPlan = 3 };

/// "credit", "quota", "package", "plan".
std::string_view name_of(LotKind kind);
/// kInvalidArgument with the four names.
Result<LotKind> parse_lot_kind(std::string_view name);

struct Lot {
  std::string id;        ///< "lot_…"
  std::string payer_id;  ///< a project's or an organisation's
  LotKind kind = LotKind::kCredit;
  std::string unit;                    ///< a currency; kTokenUnit of a package
  Money amount;                        ///< its face: what can be spent of it
  Money paid;                          ///< what the payer's wallet gave for it
  std::vector<std::string> offerings;  ///< that it may be spent on; empty: all
  int64_t priority = 0;                ///< 0 to 1000; the lowest is spent first
  WallTime expires = WallTime::max();  ///< from this moment it is not spent any more
  std::string idempotency_key = {};
  int64_t sequence = 0;  ///< the journal entry that created it
};

/// Who is granted what; `id` and `sequence` of the lot are the ledger's.
struct LotBalance {
  Lot lot;
  Money left;  ///< without what open requests hold
};

Record record_of(const Lot& lot);
Result<Lot> lot_from(const Record& record);
/// kNotFound.
Result<Lot> find_lot(State& state, std::string_view id);
/// Of the payer, in the order of their ids; with what ended ones have left: nothing.
Result<std::vector<LotBalance>> lots_of(State& state, std::string_view payer_id, int64_t limit,
                                        std::string_view after = {});

inline constexpr std::string_view kLotAccounts = "lot:";
inline std::string lot_account(std::string_view lot_id) {
  return std::string(kLotAccounts) + std::string(lot_id);
}

/// What a hold needs to know of a lot.
struct LiveLot {
  std::string id;
  std::string unit;
  int64_t priority = 0;
  WallTime expires;
  int64_t sequence = 0;
  std::vector<std::string> offerings;

  bool serves(std::string_view offering) const;
};

/// In the order in which they are spent: packages first, then by priority, expiry and creation.
Result<std::vector<LiveLot>> live_lots(State& state, std::string_view payer_id);

/// How an entry's postings change the lists of live lots: a lot that they fill appears, one that they empty
/// goes. Reading comes first, so that an operation can still fail.
struct LiveLotChanges {
  std::map<std::string, std::vector<LiveLot>> lists;  ///< by payer
  std::vector<LiveLot> filled;
  std::vector<LiveLot> emptied;
};
Result<LiveLotChanges> live_lot_changes(State& state, const std::vector<Posting>& postings);
void put_live_lots(State& state, const LiveLotChanges& changes);

/// The ids of live lots whose time is over, the first to expire first, at most `limit`.
Result<std::vector<std::string>> expired_lots(State& state, WallTime now, int64_t limit);

}  // namespace feilun::ledger
