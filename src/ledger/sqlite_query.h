#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/bytes.h"

namespace feilun::ledger {

/// One connection and its prepared statements: each SQL literal is prepared once, found by its address.
/// Used by one thread at a time.
class SqliteConnection {
 public:
  SqliteConnection() = default;
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;
  ~SqliteConnection();

  /// `busy_timeout`: how long a statement waits for another process's lock.
  Result<> open(const std::string& path, std::chrono::milliseconds busy_timeout);
  /// Runs statements that return no rows of interest.
  Result<> execute(const char* sql);
  sqlite3* handle() const { return db_; }
  /// The first I/O or format failure; sticky.
  const std::optional<Error>& failure() const { return failure_; }
  std::unexpected<Error> failed(int code, std::string_view doing);
  std::unexpected<Error> corrupt(std::string_view what);

 private:
  friend class SqliteQuery;
  Result<sqlite3_stmt*> prepared(const char* sql);

  sqlite3* db_ = nullptr;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
  std::optional<Error> failure_;
};

/// One run of a prepared statement: bind the parameters in order, then next() to the rows. The statement is
/// reset when this object dies. Columns are checked for type and bounds as they are read.
class SqliteQuery {
 public:
  SqliteQuery(SqliteConnection& connection, const char* sql);
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;
  ~SqliteQuery();

  /// For one more run, with parameters of its own.
  SqliteQuery& again();
  /// Bytes are not copied: they must be there until the run has ended.
  SqliteQuery& bind(int64_t value);
  SqliteQuery& bind(WallTime value) { return bind(value.time_since_epoch().count()); }
  SqliteQuery& bind_blob(std::string_view bytes);
  SqliteQuery& bind(const Hash& hash) { return bind_blob(view(hash)); }

  Result<bool> next();  ///< true: a row stands ready
  Result<> run();       ///< to the end

  Result<int64_t> integer(int column);
  Result<std::string> blob(int column);
  Result<Hash> hash(int column);
  Result<WallTime> time(int column);
  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

 private:
  SqliteConnection& connection_;
  sqlite3_stmt* statement_ = nullptr;
  std::optional<Error> unprepared_;  ///< why there is no statement
  int bound_ = 0;
  int bind_code_ = SQLITE_OK;
};

}  // namespace feilun::ledger
