#include "ledger/sqlite_store.h"

#include <chrono>
#include <thread>

#include "ledger/limits.h"
#include "ledger/sqlite_migration.h"
#include "ledger/sqlite_query.h"

// WAL gives readers a snapshot beside the one writer; synchronous=FULL makes COMMIT return only after the log
// is on the disk. Checkpoints are run here and not by SQLite, because SQLite ignores a checkpoint's failed
// fsync, and after one of those nothing more may be promised.

namespace feilun::ledger {
namespace {

constexpr int kCheckpointPages = 1000;
constexpr int kOpenAttempts = 500;
constexpr char kGet[] = "SELECT value FROM state WHERE key=?";

/// Beginning and ending a statement costs SQLite as much as a row of ours does, so new rows go in by so many.
/// OR FAIL, because otherwise it would keep a copy of each page, to undo the rows before one that fails; we
/// undo the transaction.
constexpr size_t kRowsAtOnce = 16;

/// A statement for one row and one for kRowsAtOnce of them.
struct Insert {
  Insert(std::string_view into, std::string_view row) : one(into) {
    one.append(row);
    many = one;
    for (size_t i = 1; i < kRowsAtOnce; ++i) many.append(",").append(row);
  }
  std::string one;
  std::string many;
};

const Insert kAppend("INSERT OR FAIL INTO journal (sequence, time, payload, hash) VALUES ", "(?,?,?,?)");
const Insert kPutNew("INSERT OR FAIL INTO state (key, value) VALUES ", "(?,?)");

class SqliteStore final : public Store {
 public:
  Result<> open(const std::filesystem::path& path, std::chrono::milliseconds busy_timeout);

  Result<> begin(Access access) override {
    return run(access == Access::kWrite ? "BEGIN IMMEDIATE" : "BEGIN");
  }
  Result<> commit() override;
  void rollback() override { sqlite3_exec(connection_.handle(), "ROLLBACK", nullptr, nullptr, nullptr); }
  Result<> maintain() override;
  const std::optional<Error>& failure() const override { return connection_.failure(); }
  void abandon() override {
    sqlite3_db_config(connection_.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }

  Result<ChainHead> head() override;
  Result<std::vector<JournalRow>> entries(int64_t after, int64_t limit) override;
  Result<> append(std::span<const JournalRow> rows) override;

  Result<std::vector<Segment>> segments() override;
  Result<std::optional<Segment>> segment_at(int64_t sequence) override;
  Result<std::string> segment_bytes(int64_t first) override;
  Result<> seal(const Segment& segment) override;
  Result<> archive_segment(int64_t first) override;

  Result<std::optional<std::string>> get(std::string_view key) override;
  Result<std::vector<StateRow>> get_all(std::span<const std::string> keys) override;
  Result<std::vector<StateRow>> scan(std::string_view from, std::string_view until, int64_t limit) override;
  Result<> write(std::span<const StateChange> changes) override;

 private:
  SqliteQuery query(const char* sql) { return SqliteQuery(connection_, sql); }
  Result<> run(const char* sql) { return query(sql).run(); }
  Result<> switch_to_wal();
  /// `bind` gives a query the parameters of one of the rows.
  template <typename Row, typename Bind>
  Result<> insert(const Insert& statements, std::span<const Row> rows, Bind bind);

  SqliteConnection connection_;
  int wal_pages_ = 0;
};

Result<> SqliteStore::open(const std::filesystem::path& path, std::chrono::milliseconds busy_timeout) {
  if (auto opened = connection_.open(path.string(), busy_timeout); !opened) return opened;
  TRY(switch_to_wal());
  for (const char* sql :
       {"PRAGMA synchronous=FULL", "PRAGMA wal_autocheckpoint=0", "PRAGMA cache_size=-65536",
        "PRAGMA temp_store=MEMORY", "PRAGMA trusted_schema=OFF"}) {
    TRY(connection_.execute(sql));
  }
  sqlite3_wal_hook(
      connection_.handle(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<SqliteStore*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  const auto missing = TRY(migrate(connection_, sqlite_steps(), true));
  if (missing.empty()) return {};
  if (missing.size() == sqlite_steps().size()) {
    TRY(migrate(connection_, sqlite_steps(), false));
    return {};
  }
  return fail(ErrorCode::kUnsupported,
              "the ledger's tables are older than this program: `feilun ledger upgrade`");
}

Result<> SqliteStore::switch_to_wal() {
  // Two processes that make the same new database meet here, where SQLite does not wait for the lock.
  for (int attempt = 0;; ++attempt) {
    auto switched = connection_.execute("PRAGMA journal_mode=WAL");
    if (switched || switched.error().code != ErrorCode::kUnavailable || attempt == kOpenAttempts)
      return switched;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Result<> SqliteStore::commit() {
  return run("COMMIT");
}

Result<> SqliteStore::maintain() {
  if (wal_pages_ < kCheckpointPages) return {};
  const int code =
      sqlite3_wal_checkpoint_v2(connection_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  wal_pages_ = 0;
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return connection_.failed(code, "checkpoint");
  return {};
}

Result<ChainHead> SqliteStore::head() {
  auto q = query("SELECT sequence, hash FROM journal ORDER BY sequence DESC LIMIT 1");
  ChainHead head;
  if (!TRY(q.next())) return head;
  head.sequence = TRY(q.integer(0));
  head.hash = TRY(q.hash(1));
  if (head.sequence < 1 || head.sequence > kSequenceMax)
    return connection_.corrupt("the journal's numbering");
  return head;
}

Result<std::vector<JournalRow>> SqliteStore::entries(int64_t after, int64_t limit) {
  auto q =
      query("SELECT sequence, time, payload, hash FROM journal WHERE sequence>? ORDER BY sequence LIMIT ?");
  q.bind(after).bind(limit);
  std::vector<JournalRow> rows;
  while (TRY(q.next())) {
    JournalRow row{.sequence = TRY(q.integer(0)), .time = TRY(q.time(1)), .payload = TRY(q.blob(2))};
    row.hash = TRY(q.hash(3));
    rows.push_back(std::move(row));
  }
  return rows;
}

template <typename Row, typename Bind>
Result<> SqliteStore::insert(const Insert& statements, std::span<const Row> rows, Bind bind) {
  const auto by = [&](const std::string& sql, size_t at_once) -> Result<> {
    auto q = query(sql.c_str());
    for (; rows.size() >= at_once; rows = rows.subspan(at_once)) {
      q.again();
      for (const Row& row : rows.first(at_once)) bind(q, row);
      TRY(q.run());
    }
    return {};
  };
  TRY(by(statements.many, kRowsAtOnce));
  return by(statements.one, 1);
}

Result<> SqliteStore::append(std::span<const JournalRow> rows) {
  return insert(kAppend, rows, [](SqliteQuery& q, const JournalRow& row) {
    q.bind(row.sequence).bind(row.time).bind_blob(row.payload).bind(row.hash);
  });
}

Result<Segment> segment_in(SqliteQuery& row) {
  Segment segment{.first = TRY(row.integer(0)), .last = TRY(row.integer(1))};
  segment.hash = TRY(row.hash(2));
  segment.archived = TRY(row.integer(3)) != 0;
  return segment;
}

Result<std::vector<Segment>> SqliteStore::segments() {
  auto q = query("SELECT first, last, hash, bytes IS NULL FROM segments ORDER BY first");
  std::vector<Segment> all;
  while (TRY(q.next())) {
    all.push_back(TRY(segment_in(q)));
  }
  return all;
}

Result<std::optional<Segment>> SqliteStore::segment_at(int64_t sequence) {
  auto q = query(
      "SELECT first, last, hash, bytes IS NULL FROM segments WHERE first<=? ORDER BY first DESC LIMIT 1");
  if (!TRY(q.bind(sequence).next())) return std::nullopt;
  return segment_in(q);
}

Result<std::string> SqliteStore::segment_bytes(int64_t first) {
  auto q = query("SELECT bytes FROM segments WHERE first=?");
  if (!TRY(q.bind(first).next())) return connection_.corrupt("a segment is missing");
  if (q.is_null(0)) return fail(ErrorCode::kNotFound, "the segment from entry {} was archived", first);
  return q.blob(0);
}

Result<> SqliteStore::seal(const Segment& segment) {
  auto put = query("INSERT INTO segments (first, last, hash, bytes) VALUES (?,?,?,?)");
  TRY(put.bind(segment.first).bind(segment.last).bind(segment.hash).bind_blob(segment.bytes).run());
  auto drop = query("DELETE FROM journal WHERE sequence BETWEEN ? AND ?");
  return drop.bind(segment.first).bind(segment.last).run();
}

Result<> SqliteStore::archive_segment(int64_t first) {
  return query("UPDATE segments SET bytes=NULL WHERE first=?").bind(first).run();
}

Result<std::optional<std::string>> SqliteStore::get(std::string_view key) {
  auto q = query(kGet);
  if (!TRY(q.bind_blob(key).next())) return std::nullopt;
  return TRY(q.blob(0));
}

Result<std::vector<StateRow>> SqliteStore::get_all(std::span<const std::string> keys) {
  std::vector<StateRow> rows;
  auto q = query(kGet);
  for (const std::string& key : keys) {
    if (TRY(q.again().bind_blob(key).next())) rows.push_back({key, TRY(q.blob(0))});
  }
  return rows;
}

Result<std::vector<StateRow>> SqliteStore::scan(std::string_view from, std::string_view until,
                                                int64_t limit) {
  auto q = query("SELECT key, value FROM state WHERE key>=? AND key<? ORDER BY key LIMIT ?");
  q.bind_blob(from).bind_blob(until).bind(limit);
  std::vector<StateRow> rows;
  while (TRY(q.next())) {
    StateRow row{.key = TRY(q.blob(0))};
    row.value = TRY(q.blob(1));
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<> SqliteStore::write(std::span<const StateChange> changes) {
  std::vector<StateChange> added;
  added.reserve(changes.size());
  auto put = query("INSERT OR REPLACE INTO state (key, value) VALUES (?,?)");
  auto erase = query("DELETE FROM state WHERE key=?");
  for (const StateChange& change : changes) {
    if (!change.value) {
      TRY(erase.again().bind_blob(change.key).run());
    } else if (change.is_new) {
      added.push_back(change);
    } else {
      TRY(put.again().bind_blob(change.key).bind_blob(*change.value).run());
    }
  }
  return insert(kPutNew, std::span<const StateChange>(added), [](SqliteQuery& q, const StateChange& change) {
    q.bind_blob(change.key).bind_blob(*change.value);
  });
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path,
                                                 std::chrono::milliseconds busy_timeout) {
  auto store = std::make_unique<SqliteStore>();
  TRY(store->open(path, busy_timeout));
  return store;
}

}  // namespace feilun::ledger
