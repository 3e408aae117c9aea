#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <optional>

#include "ledger/bytes.h"
#include "ledger/ledger.h"
#include "ledger/sqlite_schema.h"
#include "ledger/verify_payload.h"
#include "ledger/verify_replay.h"

// A second opinion. It shares with the writer the hash function, the table definitions and the document
// docs/formats/ledger.md, and no other code. The order matters: the anchor is read before the snapshot is
// taken, so that a server that goes on committing can only be ahead of it; the definitions and the pages are
// checked before any row is read, so that a hostile file cannot lead a query astray.

namespace feilun::ledger {
namespace {

constexpr size_t kProblemsMax = 100;

struct Anchored {
  int64_t sequence = 0;
  std::string hash;
};

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

audit::Cell cell_at(sqlite3_stmt* row, int column) {
  using Type = audit::Cell::Type;
  switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER:
      return {Type::kInteger, sqlite3_column_int64(row, column)};
    case SQLITE_NULL:
      return {Type::kNull};
    case SQLITE_FLOAT:
      return {Type::kOther};
    case SQLITE_TEXT:
      break;
    default:
      break;
  }
  const bool text = sqlite3_column_type(row, column) == SQLITE_TEXT;
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(row, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(row, column));
  return {text ? Type::kText : Type::kBlob, 0, bytes == nullptr ? std::string() : std::string(bytes, size)};
}

void append_big_endian(std::string& out, int64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(static_cast<uint64_t>(value) >> shift));
}

class Verifier {
 public:
  explicit Verifier(std::filesystem::path directory)
      : directory_(std::move(directory)), replay_([this](std::string what) { problem(std::move(what)); }) {}

  Result<VerifyReport> run();

 private:
  void problem(std::string what) {
    if (report_.problems.size() < kProblemsMax) report_.problems.push_back(std::move(what));
  }
  void sqlite_problem(std::string_view doing) {
    problem(fmt::format("{}: {}", doing, sqlite3_errmsg(db_.get())));
  }
  bool execute(const char* sql) {
    const bool well = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
    if (!well) sqlite_problem(sql);
    return well;
  }
  /// Calls `row` with each row; false when reading failed.
  template <typename Row>
  bool for_each(const std::string& sql, Row&& row);

  void read_anchor();
  bool open_snapshot();
  bool check_definitions();
  bool check_pages();
  bool walk_journal();
  void check_entry(sqlite3_stmt* row);
  void check_anchor();
  void check_table(const char* table, int key_columns, audit::ExpectedTable expected);

  std::filesystem::path directory_;
  VerifyReport report_;
  audit::Replay replay_;
  std::unique_ptr<sqlite3, CloseDatabase> db_;
  std::vector<Anchored> anchors_;
  std::map<int64_t, std::string> anchored_hashes_;  ///< as found in the journal
  bool anchor_found_ = false;
  int64_t last_sequence_ = 0;
  std::string last_hash_ = std::string(32, '\0');
};

template <typename Row>
bool Verifier::for_each(const std::string& sql, Row&& row) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) {
    sqlite_problem("reading the database");
    return false;
  }
  const Statement statement(raw);
  for (;;) {
    const int code = sqlite3_step(raw);
    if (code == SQLITE_DONE) return true;
    if (code != SQLITE_ROW) {
      sqlite_problem("reading the database");
      return false;
    }
    row(raw);
  }
}

/// Two slots of 64 bytes: "fllgank1", sequence, hash, 16 bytes of check. A slot of zeros was never written.
void Verifier::read_anchor() {
  const int file = open((directory_ / "ledger.anchor").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  while (flock(file, LOCK_SH) != 0 && errno == EINTR) {
  }
  std::array<char, 129> bytes{};
  const ssize_t size = pread(file, bytes.data(), bytes.size(), 0);
  close(file);
  anchor_found_ = size > 0;
  if (size > 0 && size != 64 && size != 128) problem("ledger.anchor has an impossible size");
  for (const size_t at : {0u, 64u}) {
    const std::string_view slot(&bytes[at], 64);
    if (slot.find_first_not_of('\0') == slot.npos) continue;
    if (!slot.starts_with("fllgank1") ||
        !view(blake2b_256(slot.substr(0, 48))).starts_with(slot.substr(48))) {
      problem("a slot of ledger.anchor is damaged");
      continue;
    }
    Anchored anchored{.hash = std::string(slot.substr(16, 32))};
    for (const char c : slot.substr(8, 8))
      anchored.sequence = anchored.sequence << 8 | static_cast<uint8_t>(c);
    anchors_.push_back(anchored);
  }
}

bool Verifier::open_snapshot() {
  sqlite3* raw = nullptr;
  const std::string path = (directory_ / "ledger.db").string();
  const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  db_.reset(raw);
  if (code != SQLITE_OK) {
    problem(fmt::format("opening {}: {}", path, sqlite3_errstr(code)));
    return false;
  }
  sqlite3_busy_timeout(raw, 10'000);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return execute("PRAGMA trusted_schema=OFF") && execute("PRAGMA cell_size_check=ON") && execute("BEGIN");
}

bool Verifier::check_definitions() {
  std::map<std::string, std::string> expected;
  for (const SqliteObject& object : kSqliteSchema) {
    expected[fmt::format("{} {}", object.type, object.name)] = object.sql;
  }
  bool well = true;
  const bool read = for_each("SELECT type, name, sql FROM sqlite_schema", [&](sqlite3_stmt* row) {
    const std::string name = cell_at(row, 0).bytes + " " + cell_at(row, 1).bytes;
    const auto place = expected.find(name);
    const bool right = place != expected.end() && place->second == cell_at(row, 2).bytes;
    if (!right) problem("the database's " + name + " is not this format's");
    well = well && right;
    if (right) expected.erase(place);
  });
  for (const auto& [name, sql] : expected) problem("the database lacks the " + name);
  int64_t marks[2] = {};
  const bool marked =
      read && for_each("PRAGMA user_version", [&](auto* row) { marks[0] = cell_at(row, 0).integer; }) &&
      for_each("PRAGMA application_id", [&](auto* row) { marks[1] = cell_at(row, 0).integer; });
  const bool ours = marked && marks[0] == kSqliteFormat && marks[1] == kSqliteApplicationId;
  if (marked && !ours) problem("the database is not marked as a ledger of format 1");
  return read && well && expected.empty() && ours;
}

bool Verifier::check_pages() {
  bool well = true;
  const bool read = for_each("PRAGMA integrity_check(20)", [&](sqlite3_stmt* row) {
    const std::string finding = cell_at(row, 0).bytes;
    if (finding == "ok") return;
    well = false;
    problem("the database file is damaged: " + finding);
  });
  return read && well;
}

void Verifier::check_entry(sqlite3_stmt* row) {
  const int64_t sequence = sqlite3_column_int64(row, 0);
  const int64_t time = sqlite3_column_int64(row, 1);
  const int64_t kind = sqlite3_column_int64(row, 2);
  const std::string payload = cell_at(row, 3).bytes;
  const std::string previous = cell_at(row, 4).bytes;
  const std::string hash = cell_at(row, 5).bytes;
  ++report_.entries;
  if (sequence != last_sequence_ + 1) {
    problem(fmt::format("entry {}: follows entry {}: entries are missing or out of order", sequence,
                        last_sequence_));
  }
  if (previous != last_hash_) problem(fmt::format("entry {}: is not chained to the one before", sequence));
  std::string sealed = previous;
  append_big_endian(sealed, sequence);
  append_big_endian(sealed, time);
  sealed.push_back(static_cast<char>(kind));
  sealed += payload;
  if (view(blake2b_256(sealed)) != hash)
    problem(fmt::format("entry {}: its hash is not of its content", sequence));
  for (const Anchored& anchored : anchors_) {
    if (anchored.sequence == sequence) anchored_hashes_[sequence] = hash;
  }
  last_sequence_ = sequence;
  last_hash_ = hash;
  const auto entry = audit::read_payload(payload);
  if (!entry) return problem(fmt::format("entry {}: cannot be read: {}", sequence, entry.error()));
  if (static_cast<int64_t>(entry->kind) != kind)
    problem(fmt::format("entry {}: is of another kind", sequence));
  replay_.apply(sequence, time, *entry);
}

bool Verifier::walk_journal() {
  return for_each("SELECT sequence, time, kind, payload, previous, hash FROM journal ORDER BY sequence",
                  [this](sqlite3_stmt* row) { check_entry(row); });
}

void Verifier::check_anchor() {
  if (report_.entries > 0 && anchors_.empty()) {
    problem(fmt::format("ledger.anchor {}: a cut tail would go unnoticed",
                        anchor_found_ ? "says nothing that is valid" : "is missing or empty"));
  }
  for (const Anchored& anchored : anchors_) {
    const auto found = anchored_hashes_.find(anchored.sequence);
    if (found == anchored_hashes_.end()) {
      problem(fmt::format("entry {}: was durable by ledger.anchor, but the journal ends at entry {}",
                          anchored.sequence, last_sequence_));
    } else if (found->second != anchored.hash) {
      problem(fmt::format("entry {}: is not the one ledger.anchor saw durable", anchored.sequence));
    }
  }
}

void Verifier::check_table(const char* table, int key_columns, audit::ExpectedTable expected) {
  const bool read = for_each(fmt::format("SELECT * FROM {}", table), [&](sqlite3_stmt* row) {
    std::string key;
    for (int i = 0; i < key_columns; ++i) {
      const audit::Cell cell = cell_at(row, i);
      if (i > 0) key.push_back('\0');
      key += cell.type == audit::Cell::Type::kInteger ? std::to_string(cell.integer) : cell.bytes;
    }
    const auto place = expected.find(key);
    if (place == expected.end())
      return problem(fmt::format("{}: the row {} comes from no entry", table, key));
    for (size_t i = 0; i < place->second.cells.size(); ++i) {
      if (place->second.cells[i] == cell_at(row, static_cast<int>(i))) continue;
      problem(fmt::format("{}: the {} of row {} is not what the journal gives (entry {})", table,
                          sqlite3_column_name(row, static_cast<int>(i)), key, place->second.sequence));
    }
    expected.erase(place);
  });
  if (!read) return;
  for (const auto& [key, row] : expected) {
    problem(fmt::format("{}: the row {} is missing (entry {})", table, key, row.sequence));
  }
}

Result<VerifyReport> Verifier::run() {
  if (!std::filesystem::exists(directory_ / "ledger.db")) {
    return fail(ErrorCode::kNotFound, "there is no ledger in {}", directory_.string());
  }
  read_anchor();
  if (!open_snapshot() || !check_definitions() || !check_pages() || !walk_journal())
    return std::move(report_);
  check_anchor();
  check_table("accounts", 2, replay_.accounts());
  check_table("projects", 1, replay_.projects());
  check_table("keys", 1, replay_.keys());
  check_table("prices", 1, replay_.prices());
  check_table("open_holds", 1, replay_.open_holds());
  check_table("ended", 1, replay_.ended());
  check_table("credits", 1, replay_.credits());
  check_table("usage", 1, replay_.usage());
  report_.open_holds = replay_.open_requests();
  report_.requests = replay_.ended_requests() + replay_.open_requests();
  return std::move(report_);
}

}  // namespace

Result<VerifyReport> verify(const std::filesystem::path& directory) {
  return Verifier(directory).run();
}

}  // namespace feilun::ledger
