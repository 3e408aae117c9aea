#include "ledger/sqlite_query.h"

#include <cstring>

#include "base/check.h"
#include "ledger/limits.h"

namespace feilun::ledger {
SqliteConnection::~SqliteConnection() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(db_);
}

Result<> SqliteConnection::open(const std::string& path, std::chrono::milliseconds busy_timeout) {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &db_, flags, nullptr);
  if (code != SQLITE_OK) return failed(code, "opening " + path);
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, static_cast<int>(busy_timeout.count()));
  return {};
}

Result<> SqliteConnection::execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failed(code, sql);
  return {};
}

std::unexpected<Error> SqliteConnection::failed(int code, std::string_view doing) {
  const char* why = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_);
  if ((code & 0xff) == SQLITE_BUSY) {
    return fail(ErrorCode::kUnavailable, "the ledger's database is locked by another process ({})", why);
  }
  const bool corrupt = (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
  auto error = fail(corrupt ? ErrorCode::kCorrupt : ErrorCode::kIo,
                    "the ledger's database failed: {} ({}: {})", why, code, doing);
  if (!failure_) failure_ = error.error();
  return error;
}

std::unexpected<Error> SqliteConnection::corrupt(std::string_view what) {
  auto error = fail(ErrorCode::kCorrupt, "the ledger's database is damaged: {}", what);
  if (!failure_) failure_ = error.error();
  return error;
}

Result<sqlite3_stmt*> SqliteConnection::prepared(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int code = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return failed(code, sql);
  }
  return statement;
}

SqliteQuery::SqliteQuery(SqliteConnection& connection, const char* sql) : connection_(connection) {
  if (auto statement = connection.prepared(sql)) {
    statement_ = *statement;
  } else {
    unprepared_ = statement.error();
  }
}

SqliteQuery::~SqliteQuery() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

SqliteQuery& SqliteQuery::again() {
  if (statement_ != nullptr) sqlite3_reset(statement_);
  bound_ = 0;
  return *this;
}

SqliteQuery& SqliteQuery::bind(int64_t value) {
  if (statement_ != nullptr) bind_code_ |= sqlite3_bind_int64(statement_, ++bound_, value);
  return *this;
}

SqliteQuery& SqliteQuery::bind_blob(std::string_view bytes) {
  if (statement_ == nullptr) return *this;
  bind_code_ |= sqlite3_bind_blob64(statement_, ++bound_, bytes.data() == nullptr ? "" : bytes.data(),
                                    bytes.size(), SQLITE_STATIC);
  return *this;
}

Result<bool> SqliteQuery::next() {
  if (unprepared_) return std::unexpected(*unprepared_);
  if (bind_code_ != SQLITE_OK) return connection_.failed(bind_code_, "binding a parameter");
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_.failed(code, sqlite3_sql(statement_));
}

Result<> SqliteQuery::run() {
  while (TRY(next())) {
  }
  return {};
}

Result<int64_t> SqliteQuery::integer(int column) {
  if (sqlite3_column_type(statement_, column) != SQLITE_INTEGER) {
    return connection_.corrupt("a number is not a number");
  }
  return sqlite3_column_int64(statement_, column);
}

Result<std::string> SqliteQuery::blob(int column) {
  if (sqlite3_column_type(statement_, column) != SQLITE_BLOB)
    return connection_.corrupt("bytes are no bytes");
  const void* bytes = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
  if (bytes == nullptr && size > 0) return connection_.failed(SQLITE_NOMEM, "reading bytes");
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

Result<Hash> SqliteQuery::hash(int column) {
  Hash hash;
  const void* blob = sqlite3_column_blob(statement_, column);
  if (blob == nullptr || sqlite3_column_bytes(statement_, column) != static_cast<int>(hash.size())) {
    return connection_.corrupt("a hash is not 32 bytes");
  }
  std::memcpy(hash.data(), blob, hash.size());
  return hash;
}

Result<WallTime> SqliteQuery::time(int column) {
  return WallTime(std::chrono::microseconds(TRY(integer(column))));
}

}  // namespace feilun::ledger
