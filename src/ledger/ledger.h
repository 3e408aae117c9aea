#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/money.h"
#include "base/result.h"
#include "ledger/bytes.h"
#include "ledger/key_scopes.h"
#include "ledger/members.h"
#include "ledger/postgres_options.h"
#include "pricing/price.h"

namespace feilun::ledger {

using pricing::PriceVersion;
using pricing::ServiceTier;
using pricing::TokenUsage;

/// Who buys. Its projects pay from its one wallet; those of the organisation "default" have wallets of their
/// own, as when there are no organisations at all.
struct Organisation {
  std::string id;    ///< "org_…", or "default"
  std::string name;  ///< "acme"
  std::string currency;
  std::string time_zone = "UTC";  ///< where its months begin
  Money credit_limit;             ///< how far below zero its wallet may fall: more than zero is postpaid
  WallTime created;
  std::optional<WallTime> archived;  ///< its keys are refused
};

/// Organisation → project → key. Only a key's BLAKE2b hash is kept.
struct Project {
  std::string id;            ///< "proj_…"
  std::string name;          ///< unique in its organisation
  std::string organisation;  ///< id
  std::string currency;      ///< of the wallet that pays
  std::string payer;         ///< whose wallet: the organisation's id, or its own
  WallTime created;
  std::optional<WallTime> archived;  ///< its keys are refused
};

enum class KeyRole : uint8_t { kProject = 0, kAdmin = 1 };

struct Key {
  std::string id;          ///< "key_…"
  std::string project_id;  ///< empty for an administrator's: it belongs to the organisation
  std::string name;
  std::string hint;  ///< first and last characters, for lists: "sk-fl-ab…yz"
  KeyRole role = KeyRole::kProject;
  WallTime created;
  std::optional<WallTime> revoked;
  std::string organisation;               ///< id
  Role organisation_role = Role::kOwner;  ///< of an administrator's key
  std::string owner;                      ///< a member's or service account's id; may be empty
  std::optional<WallTime> expires;
  std::shared_ptr<const KeyScope> scope;  ///< null: it may be used for everything
};

/// A key to make.
struct KeyRequest {
  std::string parent = "default";  ///< a project, or for an administrator's key an organisation; name or id
  std::string name;
  KeyRole role = KeyRole::kProject;
  Role organisation_role = Role::kOwner;
  std::string owner;
  std::optional<WallTime> expires;
  KeyScope scope;
};

/// What to change of a key; what is absent stays.
struct KeyChange {
  std::optional<std::string> name;
  std::optional<std::optional<WallTime>> expires;
  std::optional<KeyScope> scope;
};

/// What to change of an organisation; what is absent stays.
struct OrganisationChange {
  std::optional<std::string> name;
  std::optional<std::string> time_zone;
};

struct NewKey {
  Key key;
  std::string secret;  ///< shown once, never stored
};

/// What a client calls its request so that asking again is not paid for again: the idempotency key of an API
/// key's holder, and the hash of what was asked under it. idempotency.h tells what becomes of it.
struct Claim {
  std::string key;
  Hash body{};
};

/// What is asked for before the engine sees a request.
struct HoldRequest {
  std::string request_id;
  std::string key_id;
  std::string project_id;
  std::string offering;
  ServiceTier tier = ServiceTier::kDefault;
  TokenCount input_tokens = 0;
  TokenCount output_slice = 256;  ///< min(max_tokens × n, slice): output tokens to hold at first
  std::optional<Claim> claim = {};
};

/// What was granted: the input at its worst price and `output_tokens` ≤ the slice asked for.
struct Hold {
  std::string request_id;
  PriceVersion price;
  Money held;
  TokenCount output_tokens = 0;
  bool exhausted =
      false;  ///< the balance paid for less than the slice: no more can follow until it is credited
};

/// How a request ended, for the journal.
enum class Outcome : uint8_t { kCompleted = 0, kCancelled = 1, kBalance = 2, kFailed = 3, kRecovered = 4 };

/// What a request took of the machine, and the money that this is. Told beside its charge, never charged.
struct RequestCost {
  std::chrono::nanoseconds attributed{0};  ///< its shares of the steps' measured time
  std::chrono::nanoseconds saved{0};       ///< what its cached prompt tokens would have taken
  int64_t kv_byte_seconds = 0;
  int64_t cost_model = 0;  ///< version of the step-time model behind the shares
  std::string currency;
  Money per_hour;  ///< price of the machine, at most 10^8 units
  Money cost;      ///< of `attributed`, rounded up or down to a whole pico-unit
};

struct Balance {
  std::string currency;
  Money posted;   ///< credits − charges
  Money pending;  ///< held by open requests
  Money available() const { return posted - pending; }
};

struct Settlement {
  std::string request_id;
  Money charged;
  Money released;
  TokenUsage usage;
  /// Durable on this machine, but the database is away: what is charged is not known yet.
  bool spooled = false;
  std::string offering;  ///< where something was charged
  std::string currency;
};

/// What this process knows and the database does not, and what the database refused to hear; all zero where
/// there is no spool (spooler.h).
struct SpoolStats {
  bool away = false;     ///< the database does not answer
  int64_t records = 0;   ///< in the spool, not yet in the database
  int64_t bytes = 0;     ///< of the spool's file
  int64_t spooled = 0;   ///< records ever written, since the process started
  int64_t replayed = 0;  ///< records that an earlier process had left
  int64_t fenced = 0;    ///< ends that came after others had ended their requests
  TokenUsage wasted;     ///< what these had computed
  /// What was charged for ends that were spooled first, by offering and currency.
  std::map<std::pair<std::string, std::string>, Money> charged_late;
};

/// Sums of a project, for the page.
struct UsageTotals {
  int64_t requests = 0;
  TokenUsage usage;
  Money charged;
};

struct LedgerOptions {
  std::filesystem::path directory;  ///< holds ledger.db and ledger.anchor; made when absent
  std::string default_currency = "CNY";
  /// True for the one process that serves requests: at start it settles at their last durable mark what an
  /// earlier serving process left open. A command line tool beside a running server says false.
  bool serving = false;
  /// postgres://…: the ledger lies there, and several serving processes may share it; the directory keeps the
  /// anchor. Empty: SQLite in the directory.
  std::string url = {};
  std::filesystem::path archive = {};  ///< where archived segments lie; empty: `archive` in the directory
  PostgresOptions postgres = {};       ///< where there is a URL
  /// How long a gateway that shares a ledger may be out of reach before others end its requests.
  std::chrono::milliseconds lease = std::chrono::seconds(90);
  /// How long a shared database may take to answer before it counts as away: then marks and ends of requests
  /// go to the spool, and new requests are refused.
  std::chrono::milliseconds patience = std::chrono::seconds(2);
  std::chrono::microseconds group_commit_wait{500};
  std::string actor = "local";   ///< who acts where nobody else is named, for the audit log
  const Clock* clock = nullptr;  ///< nullptr: the system's
};

template <typename T>
using Done = std::move_only_function<void(Result<T>)>;

class Books;
class State;

/// The double-entry ledger: wallets, holds, charges, prices, tenants; append-only and hash-chained.
///
/// One writer thread commits groups of operations; each `done` runs on that thread *after* the group is
/// durable (fsync), must not block, and may post elsewhere. The synchronous forms wait for the same.
/// All methods may be called from any thread. After a failed write or fsync the ledger takes no more money:
/// every later operation fails with kUnavailable.
class Ledger {
 public:
  static Result<std::unique_ptr<Ledger>> open(LedgerOptions options);
  virtual ~Ledger() = default;  ///< commits what is queued

  /// Runs `act` in a write transaction; returns once what it wrote is durable. books.h has the acts.
  template <typename T>
  Result<T> write(std::move_only_function<Result<T>(Books&)> act);
  /// Runs `look` over one moment of what is committed.
  template <typename T>
  Result<T> read(std::move_only_function<Result<T>(State&)> look);

  // Tenants. "default" organisation and project exist from the first open.
  virtual Result<Project> create_project(std::string name, std::string currency) = 0;
  virtual Result<Project> find_project(std::string_view name_or_id) = 0;
  virtual Result<std::vector<Project>> projects() = 0;
  virtual Result<NewKey> create_key(std::string_view project, std::string name, KeyRole role) = 0;
  virtual Result<std::vector<Key>> keys(std::string_view project) = 0;
  virtual Result<> revoke_key(std::string_view key_id) = 0;
  /// Fast, from memory; sees keys made or revoked by other processes within one second. kUnauthorized.
  virtual Result<Key> authenticate(std::string_view secret) = 0;

  // Money.
  /// Same `idempotency_key` (when not empty): credited once, whoever asks again gets the same balance.
  virtual Result<Balance> credit(std::string_view project, Money amount, std::string_view currency,
                                 std::string_view reason, std::string_view idempotency_key) = 0;
  virtual Result<Balance> balance(std::string_view project) = 0;
  virtual Result<UsageTotals> usage(std::string_view project) = 0;

  // Prices: versions are half-open intervals that do not overlap; a new one ends the one before.
  virtual Result<PriceVersion> set_price(PriceVersion price) = 0;
  virtual Result<PriceVersion> price_at(std::string_view offering, std::string_view currency,
                                        WallTime at) = 0;

  // The road of one request: hold → (top_up | mark)* → settle or release, exactly once.
  /// Check and debit in one. kInsufficientQuota when the input and one output token cannot be paid;
  /// kNotFound when the offering has no price in the wallet's currency; kConflict for a request id seen
  /// before, or a claim that another request has.
  virtual void hold(HoldRequest request, Done<Hold> done) = 0;
  /// Holds up to `more` output tokens more; the result carries the new totals, `exhausted` when it fell
  /// short.
  virtual void top_up(std::string request_id, TokenCount more, Done<Hold> done) = 0;
  /// Journals the high-water mark: after a crash this much is charged. Marks never fall.
  virtual void mark(std::string request_id, TokenUsage usage, Done<TokenUsage> done) = 0;
  /// Charges the usage (never more than held) and frees the rest. A second terminal event is kConflict.
  /// `cost`, when there is one, is journalled with it.
  virtual void settle(std::string request_id, TokenUsage usage, Outcome outcome,
                      std::optional<RequestCost> cost, Done<Settlement> done) = 0;
  void settle(std::string request_id, TokenUsage usage, Outcome outcome, Done<Settlement> done) {
    settle(std::move(request_id), usage, outcome, std::nullopt, std::move(done));
  }
  /// Frees the whole hold: nothing was computed.
  virtual void release(std::string request_id, Outcome outcome, Done<Settlement> done) = 0;

  Result<Hold> hold_now(HoldRequest request);
  Result<Settlement> settle_now(std::string request_id, TokenUsage usage, Outcome outcome);

  /// False once a failed write made the ledger stop taking money. Never waits.
  virtual bool healthy() const = 0;
  /// Until when what is held is sure to be there: whoever cannot write until then must stop computing,
  /// because others may end his requests. MonoTime::max() where one process serves. Never waits.
  virtual MonoTime holds_until() const { return MonoTime::max(); }
  /// Never waits.
  virtual SpoolStats spool() const { return {}; }
  /// Waits until everything queued before is durable.
  virtual Result<> flush() = 0;
  /// Moves sealed segments whose entries are all older than `before` to the archive, oldest first and at most
  /// `limit` (archive.h); returns how many. Over a connection of its own; others
  /// wait for the line of one segment at most.
  virtual Result<int64_t> archive(WallTime before, int64_t limit) = 0;

 protected:
  virtual Result<> write_any(std::move_only_function<Result<>(Books&)> act) = 0;
  virtual Result<> read_any(std::move_only_function<Result<>(State&)> look) = 0;

 private:
  template <typename T, typename Over>
  static std::move_only_function<Result<>(Over&)> keeping(std::optional<T>& kept,
                                                          std::move_only_function<Result<T>(Over&)> act) {
    return [&kept, act = std::move(act)](Over& over) mutable -> Result<> {
      kept.emplace(TRY(act(over)));
      return {};
    };
  }
};

template <typename T>
Result<T> Ledger::write(std::move_only_function<Result<T>(Books&)> act) {
  if constexpr (std::is_void_v<T>) {
    return write_any(std::move(act));
  } else {
    std::optional<T> kept;
    TRY(write_any(keeping<T, Books>(kept, std::move(act))));
    return *std::move(kept);
  }
}

template <typename T>
Result<T> Ledger::read(std::move_only_function<Result<T>(State&)> look) {
  if constexpr (std::is_void_v<T>) {
    return read_any(std::move(look));
  } else {
    std::optional<T> kept;
    TRY(read_any(keeping<T, State>(kept, std::move(look))));
    return *std::move(kept);
  }
}

}  // namespace feilun::ledger
