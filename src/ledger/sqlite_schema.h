#pragma once

/// The tables of ledger.db, part of the documented format (docs/formats/ledger.md): the writer creates them
/// and verify refuses a file whose definitions differ by a letter. STRICT, so that a column holds its type.
namespace feilun::ledger {

inline constexpr int kSqliteApplicationId = 0x666c6c67;  // "fllg"
inline constexpr int kSqliteFormat = 4;
/// Those from this one on have the same tables, and lack rows of the state that follow from the journal.
inline constexpr int kSqliteFormatOldest = 2;

struct SqliteObject {
  const char* type;
  const char* name;
  const char* sql;
};

inline constexpr SqliteObject kSqliteSchema[] = {
    {"table", "journal",
     "CREATE TABLE journal (sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL, payload BLOB NOT NULL, "
     "hash BLOB NOT NULL) STRICT"},
    {"table", "segments",
     "CREATE TABLE segments (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, hash BLOB NOT NULL, "
     "bytes BLOB) STRICT"},
    {"table", "state",
     "CREATE TABLE state (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID"},
};

}  // namespace feilun::ledger
