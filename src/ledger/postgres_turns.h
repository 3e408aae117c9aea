#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>

#include "ledger/postgres_connection.h"
#include "ledger/postgres_options.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// The transactions of a store in PostgreSQL; what is asked and told within them is postgres_store.cc.
///
/// A write transaction begins with the ledger's one advisory lock and reads the head under it. READ COMMITTED
/// is then enough: what others committed is seen by the statements that follow, and nobody else writes.
///
/// Statements go out without waiting. What is only told is answered together with the next question, or with
/// COMMIT. So a group costs two round trips beside the reads of its rules: begin, lock and head are one; its
/// rows and its COMMIT are the other.
class PostgresTurns : public Store {
 public:
  PostgresTurns(std::string url, PostgresOptions options);

  /// Connects, and makes the tables where there are none.
  Result<> open();

  Result<> begin(Access access) override;
  Result<> commit() override;
  void rollback() override;
  Result<> maintain() override { return {}; }
  const std::optional<Error>& failure() const override { return failure_; }
  void abandon() override { connection_.close(); }
  void stop_waiting() override;
  bool is_shared() const override { return true; }
  Result<ChainHead> head() override;

 protected:
  /// Waits for the answer.
  Result<PostgresRows> ask(const PostgresStatement& statement, const PostgresParameters& parameters = {});
  /// Does not.
  Result<> tell(const PostgresStatement& statement, const PostgresParameters& parameters);
  /// That the transaction writes; the error that broke it.
  Result<> writable() const;
  const ChainHead& last() const { return head_; }
  /// Entries were told, up to this one.
  void appended(const ChainHead& head);
  /// Remembers an error that is a failure.
  template <typename T>
  Result<T> noted(Result<T> result) {
    if (!result && result.error().code != ErrorCode::kUnavailable && !failure_) failure_ = result.error();
    return result;
  }

 private:
  enum class Phase { kOutside, kReading, kWriting };

  Result<> connect();
  Result<> start(Access access);
  /// How long a statement of this transaction may take to answer.
  std::chrono::milliseconds answer_limit() const {
    return phase_ == Phase::kReading ? options_.read_wait : options_.transaction_limit + options_.slack;
  }
  Result<> check_head(const PostgresRows& rows);
  void evict_lock_holder();
  /// What became of a commit whose connection was lost because of `cause`.
  Result<> outcome_of(const ChainHead& ours, const Error& cause);
  /// Whether the entry is there, once no transaction is left that could still write it.
  Result<bool> look_for(const ChainHead& ours);

  std::string url_;
  PostgresOptions options_;
  int64_t lock_;
  PostgresConnection connection_;
  std::optional<Error> failure_;
  ChainHead known_;  ///< the last head that was seen committed
  std::atomic<bool> hurries_{false};

  // Of the transaction.
  Phase phase_ = Phase::kOutside;
  ChainHead head_;
  bool appended_ = false;
  std::optional<Error> broken_;  ///< why it can only be rolled back
};

}  // namespace feilun::ledger
