#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/bytes.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"

namespace feilun::ledger {

/// A key with what is never shown of it.
struct KeyRow {
  Key key;
  Hash hash{};          ///< BLAKE2b-256 of the secret
  int64_t changed = 0;  ///< the journal entry that last touched it
};

/// A request between hold and its terminal event.
struct OpenHold {
  std::string request_id;
  std::string key_id;
  std::string project_id;
  ServiceTier tier = ServiceTier::kDefault;
  int64_t price_id = 0;
  TokenCount input_tokens = 0;
  TokenCount output_tokens = 0;
  Money held;
  TokenUsage mark;
  int64_t opened = 0;  ///< the journal entry of its hold
};

/// A credit that was given an idempotency key.
struct CreditRow {
  std::string idempotency_key;
  std::string project_id;
  std::string currency;
  Money amount;
  int64_t sequence = 0;
};

/// Where the ledger's tables lie: the journal, and what is derived from it. It knows rows, not rules
/// (books.h).
///
/// One Store is one connection, used by one thread at a time. Every call happens between begin() and commit()
/// or rollback(). An I/O or format failure of any call is remembered: failure() tells the writer that nothing
/// more may be written through this Store. Rows that cannot be (an amount beyond every bound) are kCorrupt.
class Store {
 public:
  enum class Access { kRead, kWrite };

  virtual ~Store() = default;

  /// kUnavailable when another process holds the write lock for too long; that is not a failure().
  virtual Result<> begin(Access access) = 0;
  /// Returns once everything written since begin() is durable.
  virtual Result<> commit() = 0;
  virtual void rollback() = 0;
  /// House-keeping between transactions, after replies went out (SQLite: checkpoints).
  virtual Result<> maintain() = 0;
  virtual const std::optional<Error>& failure() const = 0;
  /// From now on not even closing writes anything.
  virtual void abandon() = 0;

  virtual Result<ChainHead> head() = 0;
  virtual Result<std::optional<Hash>> hash_at(int64_t sequence) = 0;
  virtual Result<> append(const JournalRow& row) = 0;

  /// Zero for an account never written.
  virtual Result<Money> account(std::string_view name, std::string_view currency) = 0;
  virtual Result<> put_account(std::string_view name, std::string_view currency, Money balance) = 0;

  virtual Result<std::optional<Project>> project(std::string_view name_or_id) = 0;
  virtual Result<std::vector<Project>> projects() = 0;
  virtual Result<> insert_project(const Project& project) = 0;

  virtual Result<std::optional<Key>> key(std::string_view id) = 0;
  virtual Result<std::vector<Key>> keys(std::string_view project_id) = 0;
  virtual Result<std::vector<KeyRow>> keys_changed_after(int64_t sequence) = 0;
  virtual Result<> insert_key(const KeyRow& row) = 0;
  virtual Result<> revoke_key(std::string_view id, WallTime at, int64_t sequence) = 0;

  virtual Result<std::optional<PriceVersion>> price(int64_t id) = 0;
  /// The version whose interval holds `at`.
  virtual Result<std::optional<PriceVersion>> price_at(std::string_view offering, std::string_view currency,
                                                       WallTime at) = 0;
  /// Where the first (not empty) version after `at` begins; WallTime::max() when there is none.
  virtual Result<WallTime> next_price_from(std::string_view offering, std::string_view currency,
                                           WallTime at) = 0;
  virtual Result<int64_t> last_price_id() = 0;
  virtual Result<> insert_price(const PriceVersion& price) = 0;
  virtual Result<> end_price(int64_t id, WallTime until) = 0;

  virtual Result<std::optional<OpenHold>> open_hold(std::string_view request_id) = 0;
  virtual Result<std::vector<OpenHold>> open_holds(int64_t limit) = 0;
  virtual Result<> insert_open_hold(const OpenHold& hold) = 0;
  /// Writes output_tokens, held and mark.
  virtual Result<> update_open_hold(const OpenHold& hold) = 0;
  virtual Result<> delete_open_hold(std::string_view request_id) = 0;
  virtual Result<bool> has_ended(std::string_view request_id) = 0;
  virtual Result<> insert_ended(std::string_view request_id, int64_t sequence) = 0;

  virtual Result<std::optional<CreditRow>> credit(std::string_view idempotency_key) = 0;
  virtual Result<> insert_credit(const CreditRow& row) = 0;

  virtual Result<UsageTotals> usage(std::string_view project_id) = 0;
  virtual Result<> put_usage(std::string_view project_id, const UsageTotals& totals) = 0;
};

}  // namespace feilun::ledger
