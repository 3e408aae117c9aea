#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// The ledger's rules: what each operation checks, journals and derives, inside one write transaction of a
/// Store.
///
/// Between begin() and finish() any number of operations may run. Each is atomic on its own: it validates
/// wholly before its first write, so an operation that fails has changed nothing and the group goes on. What
/// other processes committed before begin() is seen, because nothing is remembered across transactions.
/// Balances and usage sums that many operations of one group touch are read once and written once.
class Books {
 public:
  explicit Books(Store& store) : store_(store) {}

  /// `now` is the time of every entry of this group.
  Result<> begin(WallTime now);
  /// Writes the collected balances and sums; the commit is the caller's.
  Result<> finish();
  const ChainHead& head() const { return head_; }

  Result<Project> create_project(const std::string& name, const std::string& currency);
  /// The project of that name, made when there is none.
  Result<Project> ensure_project(const std::string& name, const std::string& currency);
  Result<NewKey> create_key(std::string_view project, const std::string& name, KeyRole role);
  Result<> revoke_key(std::string_view key_id);
  Result<Balance> credit(std::string_view project, Money amount, std::string_view currency,
                         std::string_view reason, std::string_view idempotency_key);
  Result<PriceVersion> set_price(PriceVersion price);

  Result<Hold> hold(const HoldRequest& request);
  Result<Hold> top_up(const std::string& request_id, TokenCount more);
  Result<TokenUsage> mark(const std::string& request_id, const TokenUsage& usage);
  Result<Settlement> settle(const std::string& request_id, const TokenUsage& usage, Outcome outcome,
                            const std::optional<RequestCost>& cost = std::nullopt);
  Result<Settlement> release(const std::string& request_id, Outcome outcome);
  /// Ends at most `limit` open holds at their last mark; returns how many.
  Result<int64_t> recover(int64_t limit);

 private:
  struct Account {
    Money balance;
    bool changed = false;
  };

  Result<Project> known_project(std::string_view name_or_id);
  Result<OpenHold> known_hold(std::string_view request_id);
  Result<PriceVersion> pinned_price(const OpenHold& hold);
  Result<Account*> account(const std::string& name, const std::string& currency);
  Result<Money> balance_of(const std::string& name, const std::string& currency);
  Result<> count_usage(const std::string& project_id, const TokenUsage& usage, Money charged);
  /// Appends the entry and moves the accounts; returns its sequence. Postings of zero are left out.
  Result<int64_t> record(PayloadWriter payload, std::vector<Posting> postings);

  Store& store_;
  WallTime now_;
  ChainHead head_;
  std::map<std::pair<std::string, std::string>, Account, std::less<>> accounts_;
  std::map<std::string, UsageTotals, std::less<>> usage_;
};

/// The balance of a project's wallet as a Store has it.
Result<Balance> read_balance(Store& store, const Project& project);

inline std::string wallet_of(std::string_view project_id) {
  return "wallet:" + std::string(project_id);
}
inline std::string held_of(std::string_view project_id) {
  return "hold:" + std::string(project_id);
}

}  // namespace feilun::ledger
