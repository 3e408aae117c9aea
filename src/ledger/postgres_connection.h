#pragma once

#include <libpq-fe.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/bytes.h"
#include "ledger/postgres_options.h"

namespace feilun::ledger {

/// A statement that is prepared once a connection.
struct PostgresStatement {
  const char* name;
  const char* sql;
};

/// The parameters of one statement, in order, in PostgreSQL's binary formats.
class PostgresParameters {
 public:
  PostgresParameters& number(int64_t value);          ///< bigint
  PostgresParameters& bytes(std::string_view value);  ///< bytea or text
  template <std::ranges::sized_range Numbers>
  PostgresParameters& numbers(const Numbers& values);  ///< bigint[]
  template <std::ranges::sized_range Strings>
  PostgresParameters& strings(const Strings& values);  ///< bytea[]

 private:
  friend class PostgresConnection;
  void begin_array(uint32_t type, size_t size);
  void begin() { starts_.push_back(bytes_.size()); }
  void append(uint64_t value, int width);
  void append_sized(std::string_view value);

  std::string bytes_;
  std::vector<size_t> starts_;
};

/// The rows of one answer, in binary format. Columns are checked for their size as they are read.
class PostgresRows {
 public:
  explicit PostgresRows(PGresult* result) : result_(result, &PQclear) {}
  int size() const { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  Result<int64_t> number(int row, int column) const;  ///< a bigint
  std::string_view bytes(int row, int column) const;  ///< valid as long as this object
  Result<Hash> hash(int row, int column) const;
  int64_t affected() const;  ///< rows inserted, updated or deleted
  std::string_view tag() const { return PQcmdStatus(result_.get()); }

 private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

/// One connection in pipeline mode: statements are sent without waiting, receive() waits for all answers.
/// Nothing waits without a limit: a server of which nothing is heard for so long is a connection that is
/// lost. Used by one thread at a time, but for hurry().
///
/// Errors: kUnavailable for what another try may find gone (no connection, a connection that broke, a lock
/// or a limit that ran out, a server that stops or lacks room); anything else says that the server or the
/// tables are not as they should be.
class PostgresConnection {
 public:
  PostgresConnection() = default;

  /// Connects, and settles for the session what the ledger relies on: durable commits, limits for standing
  /// still, the schema's tables. kUnsupported for a server before 15 or one that does not sync to disk.
  Result<> open(const std::string& url, const PostgresOptions& options);
  void close() { connection_.reset(); }
  bool is_open() const { return connection_ != nullptr; }
  /// Whether it is not open because nothing was heard.
  bool fell_silent() const { return fell_silent_; }
  /// From now on nothing is waited for beyond `left` from now, but for a connection that is being made.
  void hurry(std::chrono::milliseconds left) { ends_ = Deadline::clock::now() + left; }

  void send(const char* sql, const PostgresParameters& parameters = {});
  void prepare(const PostgresStatement& statement);
  void send(const PostgresStatement& statement, const PostgresParameters& parameters = {});
  /// The answers to all that was sent, or the first error among them: then nothing after it was done. After
  /// an error is_open() says whether the server gave it or the connection is gone. `limit`: how long nothing
  /// at all may be heard.
  Result<std::vector<PostgresRows>> receive(std::chrono::milliseconds limit);
  /// send() and receive(), for one statement.
  Result<PostgresRows> run(const char* sql, const PostgresParameters& parameters,
                           std::chrono::milliseconds limit);

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  Result<> connect(const std::string& url, const PostgresOptions& options);
  Result<> set_up_session(const PostgresOptions& options);
  /// Until the next result, or the news that there is none, can be had without waiting.
  Result<> wait_for_result(std::chrono::milliseconds limit);
  std::unexpected<Error> lost(std::string_view why);

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_{nullptr, &PQfinish};
  bool fell_silent_ = false;
  std::atomic<Deadline> ends_{Deadline::max()};
};

template <std::ranges::sized_range Numbers>
PostgresParameters& PostgresParameters::numbers(const Numbers& values) {
  begin_array(20, std::ranges::size(values));
  for (const int64_t value : values) {
    append(8, 4);
    append(static_cast<uint64_t>(value), 8);
  }
  return *this;
}

template <std::ranges::sized_range Strings>
PostgresParameters& PostgresParameters::strings(const Strings& values) {
  begin_array(17, std::ranges::size(values));
  for (const std::string_view value : values) append_sized(value);
  return *this;
}

}  // namespace feilun::ledger
