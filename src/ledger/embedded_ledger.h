#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/key_cache.h"
#include "ledger/ledger.h"
#include "ledger/serving_lock.h"
#include "ledger/spooler.h"
#include "ledger/store.h"
#include "ledger/writer.h"

namespace feilun::ledger {

/// The Ledger inside one process: a Writer over one Store for everything that changes, and a second Store for
/// reading beside it. Where the database is elsewhere and may be away, a Spooler stands before the writer,
/// and nobody waits for either store without a limit.
class EmbeddedLedger final : public Ledger {
 public:
  EmbeddedLedger(LedgerOptions options, ServingLock lock, std::unique_ptr<Store> reader,
                 std::unique_ptr<Writer> writer, std::unique_ptr<Spooler> spooler,
                 std::function<void()> before_stop);
  ~EmbeddedLedger() override;

  Result<Project> create_project(std::string name, std::string currency) override;
  Result<Project> find_project(std::string_view name_or_id) override;
  Result<std::vector<Project>> projects() override;
  Result<NewKey> create_key(std::string_view project, std::string name, KeyRole role) override;
  Result<std::vector<Key>> keys(std::string_view project) override;
  Result<> revoke_key(std::string_view key_id) override;
  Result<Key> authenticate(std::string_view secret) override;

  Result<Balance> credit(std::string_view project, Money amount, std::string_view currency,
                         std::string_view reason, std::string_view idempotency_key) override;
  Result<Balance> balance(std::string_view project) override;
  Result<UsageTotals> usage(std::string_view project) override;

  Result<PriceVersion> set_price(PriceVersion price) override;
  Result<PriceVersion> price_at(std::string_view offering, std::string_view currency, WallTime at) override;

  void hold(HoldRequest request, Done<Hold> done) override;
  void top_up(std::string request_id, TokenCount more, Done<Hold> done) override;
  void mark(std::string request_id, TokenUsage usage, Done<TokenUsage> done) override;
  using Ledger::settle;
  void settle(std::string request_id, TokenUsage usage, Outcome outcome, std::optional<RequestCost> cost,
              Done<Settlement> done) override;
  void release(std::string request_id, Outcome outcome, Done<Settlement> done) override;

  bool healthy() const override { return writer_->healthy(); }
  MonoTime holds_until() const override { return writer_->holds_until(); }
  SpoolStats spool() const override { return spooler_ ? spooler_->stats() : SpoolStats(); }
  Result<> flush() override;
  Result<int64_t> archive(WallTime before, int64_t limit) override;

  /// What every opening process does first: the default project, and, when serving, the requests an earlier
  /// serving process left open.
  Result<> prepare();

 private:
  Result<> write_any(std::move_only_function<Result<>(Books&)> act) override;
  Result<> read_any(std::move_only_function<Result<>(State&)> look) override;
  /// In a read transaction that is over when this returns.
  Result<> look_once(std::move_only_function<Result<>(State&)>& look);
  bool is_remote() const { return !options_.url.empty(); }
  bool is_unreadable() const;
  Spooler::Contact contact() const { return spooler_ ? spooler_->contact() : Spooler::Contact(); }

  LedgerOptions options_;
  SystemClock system_clock_;
  ServingLock lock_;
  std::timed_mutex reader_mutex_;
  std::unique_ptr<Store> reader_;
  State reader_state_;
  std::atomic<std::chrono::steady_clock::time_point> unreadable_until_{};
  std::atomic<int64_t> unreadable_since_ = 0;  ///< how often the database had come back by then
  KeyCache key_cache_;
  std::unique_ptr<Writer> writer_;
  std::function<void()> before_stop_;  ///< of the writer
  std::unique_ptr<Spooler> spooler_;   ///< nullptr where the database cannot be away
};

}  // namespace feilun::ledger
