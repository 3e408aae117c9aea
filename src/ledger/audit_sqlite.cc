#include <sqlite3.h>

#include <map>

#include "ledger/audit_source.h"
#include "ledger/sqlite_schema.h"

// The definitions and the pages are checked before any row is read, so that a hostile file cannot lead a
// query astray.

namespace feilun::ledger::audit {
namespace {

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

std::string bytes_at(sqlite3_stmt* row, int column) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(row, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(row, column));
  return bytes == nullptr ? std::string() : std::string(bytes, size);
}

/// What is wrong: the file's bytes, or what kept them from being read.
ErrorCode meaning(int extended_code) {
  switch (extended_code & 0xff) {
    case SQLITE_BUSY:
      return ErrorCode::kUnavailable;
    case SQLITE_IOERR: {
      const bool is_cut = extended_code == SQLITE_IOERR_SHORT_READ;
      return is_cut ? ErrorCode::kCorrupt : ErrorCode::kIo;
    }
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return ErrorCode::kIo;
    default:
      return ErrorCode::kCorrupt;
  }
}

class SqliteSource final : public Source {
 public:
  Result<> open(const std::filesystem::path& path, Access access);

  Result<> check(const std::function<void(std::string)>& problem) override;
  Result<int64_t> steps_behind() override { return kSqliteFormat - TRY(pragma("PRAGMA user_version")); }
  Result<> segments(const std::function<Result<>(StoredSegment)>& take) override;
  Result<> entries(const std::function<Result<>(StoredEntry)>& take) override;
  Result<> state(const std::function<Result<>(std::string, std::string)>& take) override;
  Result<> put(const std::string& key, const std::string& value) override;
  Result<> erase(const std::string& key) override;
  Result<> execute(const std::string& sql) override {
    const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return failed();
    return {};
  }
  Result<> commit() override { return execute("COMMIT"); }

 private:
  std::unexpected<Error> failed() {
    return fail(meaning(sqlite3_extended_errcode(db_.get())), "reading the database: {}",
                sqlite3_errmsg(db_.get()));
  }
  Result<Statement> prepare(const char* sql);
  /// Calls `take` with each row.
  template <typename Take>
  Result<> each(const char* sql, Take&& take);
  Result<int64_t> pragma(const char* sql);
  Result<bool> check_definitions(const std::function<void(std::string)>& problem);

  std::unique_ptr<sqlite3, CloseDatabase> db_;
};

Result<> SqliteSource::open(const std::filesystem::path& path, Access access) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return fail(ErrorCode::kNotFound, "there is no ledger in {}", path.parent_path().string());
  }
  sqlite3* raw = nullptr;
  const int mode = access == Access::kRead ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, mode | SQLITE_OPEN_NOMUTEX, nullptr);
  db_.reset(raw);
  if (code != SQLITE_OK) return fail(meaning(code), "opening {}: {}", path.string(), sqlite3_errstr(code));
  sqlite3_busy_timeout(raw, 10'000);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  for (const char* sql : {"PRAGMA trusted_schema=OFF", "PRAGMA cell_size_check=ON", "PRAGMA synchronous=FULL",
                          access == Access::kRead ? "BEGIN" : "BEGIN IMMEDIATE"}) {
    TRY(execute(sql));
  }
  return {};
}

Result<Statement> SqliteSource::prepare(const char* sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(db_.get(), sql, -1, &raw, nullptr);
  if (code != SQLITE_OK) return failed();
  return Statement(raw);
}

template <typename Take>
Result<> SqliteSource::each(const char* sql, Take&& take) {
  const Statement statement = TRY(prepare(sql));
  for (;;) {
    const int code = sqlite3_step(statement.get());
    if (code == SQLITE_DONE) return {};
    if (code != SQLITE_ROW) return failed();
    TRY(take(statement.get()));
  }
}

Result<int64_t> SqliteSource::pragma(const char* sql) {
  int64_t value = 0;
  TRY(each(sql, [&](sqlite3_stmt* row) -> Result<> {
    value = sqlite3_column_int64(row, 0);
    return {};
  }));
  return value;
}

/// Whether the rows may be read: only then does a query do what it says.
Result<bool> SqliteSource::check_definitions(const std::function<void(std::string)>& problem) {
  const int64_t format = TRY(pragma("PRAGMA user_version"));
  const bool is_ledger = TRY(pragma("PRAGMA application_id")) == kSqliteApplicationId;
  if (is_ledger && format > kSqliteFormat) {
    return fail(ErrorCode::kUnsupported,
                "the ledger is of format {}, and this program knows {}: take a newer one", format,
                kSqliteFormat);
  }
  std::map<std::string, std::string> expected;
  for (const SqliteObject& object : kSqliteSchema) {
    expected[std::string(object.type) + " " + object.name] = object.sql;
  }
  bool well = true;
  TRY(each("SELECT type, name, sql FROM sqlite_schema", [&](sqlite3_stmt* row) -> Result<> {
    const std::string name = bytes_at(row, 0) + " " + bytes_at(row, 1);
    // SQLite makes the index of a primary key by itself; it has no definition.
    if (name.starts_with("index sqlite_autoindex_") && sqlite3_column_type(row, 2) == SQLITE_NULL) return {};
    const auto place = expected.find(name);
    const bool right = place != expected.end() && place->second == bytes_at(row, 2);
    if (!right) problem("the database's " + name + " is not this format's");
    well = well && right;
    if (right) expected.erase(place);
    return {};
  }));
  for (const auto& [name, sql] : expected) problem("the database lacks the " + name);
  const bool marked = is_ledger && format >= kSqliteFormatOldest && format <= kSqliteFormat;
  if (!marked) problem(fmt::format("the database is not marked as a ledger of format {}", kSqliteFormat));
  return well && expected.empty() && marked;
}

Result<> SqliteSource::check(const std::function<void(std::string)>& problem) {
  if (!TRY(check_definitions(problem))) return {};
  return each("PRAGMA integrity_check(20)", [&](sqlite3_stmt* row) -> Result<> {
    const std::string finding = bytes_at(row, 0);
    if (finding != "ok") problem("the database file is damaged: " + finding);
    return {};
  });
}

Result<> SqliteSource::segments(const std::function<Result<>(StoredSegment)>& take) {
  return each("SELECT first, last, hash, bytes FROM segments ORDER BY first", [&](sqlite3_stmt* row) {
    StoredSegment segment{sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1), bytes_at(row, 2), {}};
    if (sqlite3_column_type(row, 3) != SQLITE_NULL) segment.bytes = bytes_at(row, 3);
    return take(std::move(segment));
  });
}

Result<> SqliteSource::entries(const std::function<Result<>(StoredEntry)>& take) {
  return each("SELECT sequence, time, payload, hash FROM journal ORDER BY sequence", [&](sqlite3_stmt* row) {
    return take(
        {sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1), bytes_at(row, 2), bytes_at(row, 3)});
  });
}

Result<> SqliteSource::state(const std::function<Result<>(std::string, std::string)>& take) {
  return each("SELECT key, value FROM state ORDER BY key",
              [&](sqlite3_stmt* row) { return take(bytes_at(row, 0), bytes_at(row, 1)); });
}

Result<> SqliteSource::put(const std::string& key, const std::string& value) {
  const Statement statement = TRY(prepare("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)"));
  sqlite3_bind_blob64(statement.get(), 1, key.data(), key.size(), SQLITE_STATIC);
  sqlite3_bind_blob64(statement.get(), 2, value.data(), value.size(), SQLITE_STATIC);
  const int code = sqlite3_step(statement.get());
  if (code != SQLITE_DONE) return failed();
  return {};
}

Result<> SqliteSource::erase(const std::string& key) {
  const Statement statement = TRY(prepare("DELETE FROM state WHERE key=?"));
  sqlite3_bind_blob64(statement.get(), 1, key.data(), key.size(), SQLITE_STATIC);
  const int code = sqlite3_step(statement.get());
  if (code != SQLITE_DONE) return failed();
  return {};
}

}  // namespace

Result<std::unique_ptr<Source>> open_sqlite_source(const std::filesystem::path& database, Access access) {
  auto source = std::make_unique<SqliteSource>();
  TRY(source->open(database, access));
  return source;
}

}  // namespace feilun::ledger::audit
