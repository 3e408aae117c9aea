#pragma once

#include <sqlite3.h>

#include <string>
#include <string_view>

#include "base/check.h"
#include "batch.h"
#include "ledger/bytes.h"

namespace feilun::ledger {

/// The statements alone, prepared, on a connection set as the ledger's is.
class RawSqlite {
 public:
  explicit RawSqlite(const std::string& path) {
    CHECK(sqlite3_open(path.c_str(), &db_) == SQLITE_OK);
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("PRAGMA wal_autocheckpoint=1000");
    run("PRAGMA cache_size=-65536");
    run("CREATE TABLE journal (sequence INTEGER PRIMARY KEY, time INTEGER, payload BLOB, hash BLOB)");
    run("CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID");
    entry_ = prepare("INSERT INTO journal VALUES (?,?,?,?)");
    put_ = prepare("INSERT OR REPLACE INTO state VALUES (?,?)");
    erase_ = prepare("DELETE FROM state WHERE key=?");
  }

  void write(const Batch& batch) {
    run("BEGIN IMMEDIATE");
    for (const JournalRow& row : batch.entries) {
      sqlite3_bind_int64(entry_, 1, row.sequence);
      sqlite3_bind_int64(entry_, 2, row.time.time_since_epoch().count());
      bind(entry_, 3, row.payload);
      bind(entry_, 4, view(row.hash));
      step(entry_);
    }
    for (const Batch::Change& change : batch.changes) {
      sqlite3_stmt* statement = change.value ? put_ : erase_;
      bind(statement, 1, change.key);
      if (change.value) bind(statement, 2, *change.value);
      step(statement);
    }
    run("COMMIT");
  }

 private:
  void run(const char* sql) { CHECK(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK); }
  sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    CHECK(sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) == SQLITE_OK);
    return statement;
  }
  static void bind(sqlite3_stmt* statement, int place, std::string_view bytes) {
    sqlite3_bind_blob64(statement, place, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(),
                        SQLITE_STATIC);
  }
  static void step(sqlite3_stmt* statement) {
    CHECK(sqlite3_step(statement) == SQLITE_DONE);
    sqlite3_reset(statement);
  }

  sqlite3* db_ = nullptr;
  sqlite3_stmt* entry_ = nullptr;
  sqlite3_stmt* put_ = nullptr;
  sqlite3_stmt* erase_ = nullptr;
};

}  // namespace feilun::ledger
