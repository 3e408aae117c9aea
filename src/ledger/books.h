#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "ledger/record.h"
#include "ledger/rows.h"
#include "ledger/state.h"

namespace feilun::ledger {

/// An account of money that may be spent.
struct Source {
  std::string account;
  Money available;
};

/// The ledger's rules: what each operation checks, journals and derives, inside one write transaction.
///
/// Between begin() and finish() any number of operations may run. Each is atomic on its own: it validates
/// wholly before its first write, so an operation that fails has changed nothing and the group goes on.
class Books {
 public:
  explicit Books(State& state) : state_(state) {}

  /// `now` is the time of every entry of this group.
  Result<> begin(WallTime now);
  State& state() { return state_; }
  /// Who does what follows, for the audit log: a key's id, a member's, or "local".
  void act_as(std::string actor) { actor_ = std::move(actor); }

  Result<Organisation> create_organisation(Organisation organisation);
  Result<Project> create_project(const std::string& name, const std::string& currency,
                                 std::string_view organisation = "default");
  /// The project of that name, made when there is none.
  Result<Project> ensure_project(const std::string& name, const std::string& currency);
  Result<NewKey> create_key(std::string_view project, const std::string& name, KeyRole role);
  Result<> revoke_key(std::string_view key_id);
  /// `owner`: a project or an organisation, by id or name.
  Result<Balance> credit(std::string_view owner, Money amount, std::string_view currency,
                         std::string_view reason, std::string_view idempotency_key);
  Result<PriceVersion> set_price(PriceVersion price);

  Result<Hold> hold(const HoldRequest& request);
  Result<Hold> top_up(const std::string& request_id, TokenCount more);
  Result<TokenUsage> mark(const std::string& request_id, const TokenUsage& usage);
  Result<Settlement> settle(const std::string& request_id, const TokenUsage& usage, Outcome outcome,
                            const std::optional<RequestCost>& cost = std::nullopt);
  Result<Settlement> release(const std::string& request_id, Outcome outcome);
  /// Under which lease holds are made from now on; empty where nobody else serves.
  void hold_as(std::string lease) { lease_ = std::move(lease); }
  /// Ends at most `limit` open holds that were made under none of these leases at their last mark; returns
  /// how many.
  Result<int64_t> recover(const std::vector<std::string>& living, int64_t limit);

 private:
  /// Journals that a record comes to be, changes or goes (no `after`), and writes its rows.
  Result<> act(std::string_view verb, const std::optional<Record>& before, std::optional<Record> after);
  /// Appends the entry and moves the accounts; returns its sequence. Postings of zero are left out.
  Result<int64_t> record(Payload payload, std::vector<Posting> postings);

  Result<OpenHold> known_hold(std::string_view request_id);
  Result<const PriceVersion*> pinned(int64_t id);
  Result<const PriceVersion*> price_now(const HoldRequest& request, const Project& project);
  /// In the order in which they are spent.
  Result<std::vector<Source>> sources(const Project& project);
  Result<> count_usage(const OpenHold& hold, const TokenUsage& usage, Money charged);

  State& state_;
  WallTime now_;
  std::string actor_ = "local";
  std::string lease_;
  std::map<int64_t, PriceVersion> prices_;  ///< by number; a version's rows never change
};

Result<Organisation> find_organisation(State& state, std::string_view name_or_id);
Result<Project> find_project(State& state, std::string_view name_or_id);
Result<std::vector<Project>> all_projects(State& state);
Result<std::vector<Key>> keys_of(State& state, std::string_view project_id);
Result<PriceVersion> find_price(State& state, int64_t id);
/// The version whose interval holds `at`; none is kNotFound.
Result<PriceVersion> find_price_at(State& state, std::string_view offering, std::string_view currency,
                                   std::string_view organisation, WallTime at);
Result<Balance> payer_balance(State& state, std::string_view payer, std::string_view currency);

inline std::string wallet_of(std::string_view payer) {
  return "wallet:" + std::string(payer);
}
inline std::string held_of(std::string_view payer) {
  return "hold:" + std::string(payer);
}

}  // namespace feilun::ledger
