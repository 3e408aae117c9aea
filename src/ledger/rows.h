#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/state.h"

// The rows of the state that money moves: keys and values byte for byte as docs/formats/ledger.md has them.
// A value that cannot be read is kCorrupt.

namespace feilun::ledger {

/// What a hold took from where, in the order in which it is spent.
struct Draw {
  std::string account;
  std::string currency;  ///< or kTokenUnit, of a package
  Money amount;
};

/// A request between hold and its terminal event.
struct OpenHold {
  std::string request_id;
  std::string key_id;
  std::string project_id;
  std::string payer_id;
  std::string offering;
  std::string currency;
  ServiceTier tier = ServiceTier::kDefault;
  int64_t price_id = 0;
  TokenCount input_tokens = 0;
  TokenCount output_tokens = 0;
  TokenCount covered_tokens = 0;  ///< of these, paid with packages
  std::vector<Draw> draws;
  TokenUsage mark;
  int64_t opened = 0;  ///< the journal entry of its hold
  std::string lease;   ///< of the gateway that serves it; empty where there is one

  Money held() const;
};

inline constexpr char kOpenHolds = 'H';  ///< their table
Result<std::optional<OpenHold>> open_hold(State& state, std::string_view request_id);
Result<std::vector<OpenHold>> open_holds(State& state, int64_t limit);
void put_open_hold(State& state, const OpenHold& hold);
void erase_open_hold(State& state, std::string_view request_id);
/// The rows that tell whether a request was seen.
std::vector<std::string> request_keys(std::string_view request_id);

Result<bool> has_ended(State& state, std::string_view request_id);
/// The entry that ended the request, when it has.
Result<std::optional<int64_t>> ended_by(State& state, std::string_view request_id);
void put_ended(State& state, std::string_view request_id, int64_t sequence);

/// Zero for an account never written.
Result<Money> account(State& state, std::string_view name, std::string_view currency);
/// An account that is read and then written.
Result<State::Row*> account_row(State& state, std::string_view name, std::string_view currency);
Result<Money> balance_of(const State::Row& account);
void put_balance(State& state, State::Row& account, Money balance);

/// A version's place in time; its rows are in the record of its number.
struct PriceInterval {
  WallTime from;
  WallTime until;
  int64_t id = 0;
};

/// In order of time.
Result<std::vector<PriceInterval>> price_intervals(State& state, std::string_view offering,
                                                   std::string_view currency, std::string_view organisation);
void put_price_intervals(State& state, const PriceVersion& of, const std::vector<PriceInterval>& intervals);

/// A credit that was given an idempotency key.
struct CreditRow {
  std::string idempotency_key;
  std::string payer_id;
  std::string currency;
  Money amount;
  int64_t sequence = 0;
};

Result<std::optional<CreditRow>> credit(State& state, std::string_view idempotency_key);
void put_credit(State& state, const CreditRow& row);

Result<UsageTotals> usage_totals(State& state, std::string_view project_id);
Result<> add_usage_totals(State& state, std::string_view project_id, const UsageTotals& more);

}  // namespace feilun::ledger
