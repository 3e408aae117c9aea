#pragma once

/// The tables of ledger.db, part of the documented format (docs/formats/ledger.md): the writer creates them
/// and verify refuses a file whose definitions differ by a letter. STRICT, so that a column holds its type.
namespace feilun::ledger {

inline constexpr int kSqliteApplicationId = 0x666c6c67;  // "fllg"
inline constexpr int kSqliteFormat = 1;

struct SqliteObject {
  const char* type;
  const char* name;
  const char* sql;
};

inline constexpr SqliteObject kSqliteSchema[] = {
    {"table", "journal",
     "CREATE TABLE journal (sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind INTEGER NOT NULL, "
     "payload BLOB NOT NULL, previous BLOB NOT NULL, hash BLOB NOT NULL) STRICT"},
    {"table", "accounts",
     "CREATE TABLE accounts (name TEXT NOT NULL, currency TEXT NOT NULL, balance BLOB NOT NULL, "
     "PRIMARY KEY (name, currency)) STRICT, WITHOUT ROWID"},
    {"table", "projects",
     "CREATE TABLE projects (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, organisation TEXT NOT NULL, "
     "currency TEXT NOT NULL) STRICT, WITHOUT ROWID"},
    {"index", "projects_by_name", "CREATE UNIQUE INDEX projects_by_name ON projects (name)"},
    {"table", "keys",
     "CREATE TABLE keys (id TEXT NOT NULL PRIMARY KEY, project TEXT NOT NULL, name TEXT NOT NULL, "
     "hint TEXT NOT NULL, role INTEGER NOT NULL, hash BLOB NOT NULL, created INTEGER NOT NULL, "
     "revoked INTEGER, changed INTEGER NOT NULL) STRICT, WITHOUT ROWID"},
    {"index", "keys_by_project", "CREATE INDEX keys_by_project ON keys (project)"},
    {"index", "keys_by_change", "CREATE UNIQUE INDEX keys_by_change ON keys (changed)"},
    {"table", "prices",
     "CREATE TABLE prices (id INTEGER PRIMARY KEY, offering TEXT NOT NULL, currency TEXT NOT NULL, "
     "input_fresh BLOB NOT NULL, cache_read BLOB NOT NULL, cache_write BLOB NOT NULL, output BLOB NOT NULL, "
     "reasoning BLOB NOT NULL, effective_from INTEGER NOT NULL, effective_until INTEGER NOT NULL) STRICT"},
    {"index", "prices_by_offering",
     "CREATE INDEX prices_by_offering ON prices (offering, currency, effective_from)"},
    {"table", "open_holds",
     "CREATE TABLE open_holds (request TEXT NOT NULL PRIMARY KEY, key TEXT NOT NULL, project TEXT NOT NULL, "
     "tier INTEGER NOT NULL, price INTEGER NOT NULL, input_tokens INTEGER NOT NULL, "
     "output_tokens INTEGER NOT NULL, held BLOB NOT NULL, input_fresh INTEGER NOT NULL, "
     "cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL, output INTEGER NOT NULL, "
     "reasoning INTEGER NOT NULL, opened INTEGER NOT NULL) STRICT, WITHOUT ROWID"},
    {"table", "ended",
     "CREATE TABLE ended (request TEXT NOT NULL PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT "
     "ROWID"},
    {"table", "credits",
     "CREATE TABLE credits (idempotency_key TEXT NOT NULL PRIMARY KEY, project TEXT NOT NULL, "
     "currency TEXT NOT NULL, amount BLOB NOT NULL, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID"},
    {"table", "usage",
     "CREATE TABLE usage (project TEXT NOT NULL PRIMARY KEY, requests INTEGER NOT NULL, "
     "input_fresh INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL, "
     "output INTEGER NOT NULL, reasoning INTEGER NOT NULL, charged BLOB NOT NULL) STRICT, WITHOUT ROWID"},
};

}  // namespace feilun::ledger
