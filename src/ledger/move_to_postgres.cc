#include "ledger/move_to_postgres.h"

#include <algorithm>
#include <limits>
#include <ranges>
#include <system_error>
#include <vector>

#include "ledger/audit.h"
#include "ledger/postgres_connection.h"
#include "ledger/postgres_schema.h"
#include "ledger/serving_lock.h"
#include "ledger/sqlite_store.h"

// The journal and its segments never change, so a copy that was ended goes on where it stopped; the state is
// copied anew. The mark is a line of `migrations` whose number no program knows as its format.

namespace feilun::ledger {
namespace {

namespace fs = std::filesystem;
using std::views::transform;

constexpr int64_t kMark = 1'000'000'000;
constexpr int64_t kEntriesAtOnce = 4096;
constexpr int64_t kRowsAtOnce = 8192;

/// The schema that a ledger is moved to. Each call is a transaction, unless begin() came before.
class Target {
 public:
  explicit Target(const PostgresOptions& options) : options_(options) {}

  Result<> open(const std::string& url);
  /// Puts the mark there. False when the ledger with this head is there already, whole.
  Result<bool> take(const ChainHead& head);
  Result<> remove_mark();

  Result<int64_t> last_segment() { return number("SELECT coalesce(max(last), 0)::bigint FROM segments"); }
  Result<int64_t> last_entry() { return number("SELECT coalesce(max(sequence), 0)::bigint FROM journal"); }
  Result<> put(const Segment& segment);
  Result<> put(const std::vector<JournalRow>& rows);
  Result<> put(const std::vector<StateRow>& rows);
  /// Those that were sealed since an earlier attempt.
  Result<> drop_entries(int64_t until);
  Result<> clear_state() { return run("TRUNCATE state"); }

 private:
  Result<> run(const char* sql, const PostgresParameters& parameters = {}) {
    TRY(connection_.run(sql, parameters, limit_));
    return {};
  }
  Result<int64_t> number(const char* sql, const PostgresParameters& parameters = {}) {
    return TRY(connection_.run(sql, parameters, limit_)).number(0, 0);
  }
  Result<bool> mark(const ChainHead& head);

  PostgresOptions options_;
  PostgresConnection connection_;
  std::chrono::milliseconds limit_ = std::chrono::minutes(10);
};

Result<> Target::open(const std::string& url) {
  options_.transaction_limit = limit_;
  TRY(connection_.open(url, options_));
  const int64_t marked = TRY(number(
      "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'migrations'"));
  if (marked > 0 && TRY(number("SELECT max(number)::bigint FROM migrations")) == kMark) return {};
  TRY(migrate(connection_, options_, postgres_steps(), false));
  return {};
}

Result<bool> Target::mark(const ChainHead& head) {
  PostgresParameters line;
  line.number(kMark).bytes(fmt::format("a move from SQLite that has not ended, up to entry {} ({})",
                                       head.sequence, hex(view(head.hash))));
  PostgresParameters last;
  last.number(head.sequence).bytes(view(head.hash));
  const int64_t other =
      TRY(number("SELECT count(*) FROM migrations WHERE number = $1::bigint AND what <> $2::text", line));
  if (other > 0) {
    return fail(
        ErrorCode::kConflict,
        "the database holds a part of another move, or the ledger has changed since: drop the schema {}",
        options_.schema);
  }
  if (TRY(number("SELECT count(*) FROM migrations WHERE number = $1::bigint AND what = $2::text", line)) >
      0) {
    return true;
  }
  if (TRY(number("SELECT count(*) FROM journal WHERE sequence = $1::bigint AND hash = $2::bytea", last)) >
      0) {
    return false;
  }
  if (TRY(number("SELECT (SELECT count(*) FROM journal) + (SELECT count(*) FROM segments) + "
                 "(SELECT count(*) FROM state)")) > 0) {
    return fail(ErrorCode::kConflict, "the database is not empty: its schema {} holds a ledger already",
                options_.schema);
  }
  TRY(run("INSERT INTO migrations VALUES ($1::bigint, $2::text, now())", line));
  return true;
}

Result<bool> Target::take(const ChainHead& head) {
  TRY(run("BEGIN"));
  PostgresParameters lock;
  lock.number(postgres_write_lock(options_.schema));
  TRY(run("SELECT pg_advisory_xact_lock($1::bigint)", lock));
  auto marked = mark(head);
  TRY(run(marked ? "COMMIT" : "ROLLBACK"));
  return marked;
}

Result<> Target::remove_mark() {
  PostgresParameters line;
  line.number(kMark);
  return run("DELETE FROM migrations WHERE number = $1::bigint", line);
}

Result<> Target::put(const Segment& segment) {
  PostgresParameters line;
  line.number(segment.first).number(segment.last).bytes(view(segment.hash));
  if (segment.archived)
    return run("INSERT INTO segments VALUES ($1::bigint, $2::bigint, $3::bytea, NULL)", line);
  line.bytes(segment.bytes);
  return run("INSERT INTO segments VALUES ($1::bigint, $2::bigint, $3::bytea, $4::bytea)", line);
}

Result<> Target::put(const std::vector<JournalRow>& rows) {
  PostgresParameters columns;
  columns.numbers(rows | transform(&JournalRow::sequence));
  columns.numbers(rows |
                  transform([](const JournalRow& row) { return row.time.time_since_epoch().count(); }));
  columns.strings(rows | transform(&JournalRow::payload));
  columns.strings(rows | transform([](const JournalRow& row) { return view(row.hash); }));
  return run("INSERT INTO journal SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])",
             columns);
}

Result<> Target::put(const std::vector<StateRow>& rows) {
  PostgresParameters columns;
  columns.strings(rows | transform(&StateRow::key)).strings(rows | transform(&StateRow::value));
  return run("INSERT INTO state SELECT * FROM unnest($1::bytea[], $2::bytea[])", columns);
}

Result<> Target::drop_entries(int64_t until) {
  PostgresParameters last;
  last.number(until);
  return run("DELETE FROM journal WHERE sequence <= $1::bigint", last);
}

Result<int64_t> copy_segments(Store& from, Target& to) {
  const int64_t there = TRY(to.last_segment());
  int64_t last = 0;
  int64_t segments = 0;
  for (Segment& segment : TRY(from.segments())) {
    ++segments;
    last = segment.last;
    if (segment.last <= there) continue;
    if (!segment.archived) segment.bytes = TRY(from.segment_bytes(segment.first));
    TRY(to.put(segment));
  }
  TRY(to.drop_entries(last));
  return segments;
}

Result<> copy_entries(Store& from, Target& to, int64_t sealed) {
  int64_t after = std::max(sealed, TRY(to.last_entry()));
  for (;;) {
    const auto rows = TRY(from.entries(after, kEntriesAtOnce));
    if (rows.empty()) return {};
    TRY(to.put(rows));
    after = rows.back().sequence;
  }
}

Result<int64_t> copy_state(Store& from, Target& to) {
  TRY(to.clear_state());
  int64_t copied = 0;
  std::string next;
  for (;;) {
    // Every key begins with the letter of its table.
    const auto rows = TRY(from.scan(next, "\xff", kRowsAtOnce));
    if (rows.empty()) return copied;
    TRY(to.put(rows));
    copied += std::ssize(rows);
    next = rows.back().key + '\0';
  }
}

Result<Moved> copy(Store& from, Target& to, const ChainHead& head) {
  Moved moved{.entries = head.sequence};
  moved.segments = TRY(copy_segments(from, to));
  const int64_t sealed = TRY(to.last_segment());
  TRY(copy_entries(from, to, sealed));
  moved.rows = TRY(copy_state(from, to));
  return moved;
}

/// Returns the breaches.
Result<std::vector<std::string>> look_at(const audit::Place& place) {
  audit::VerifyReport report = TRY(audit::verify(place));
  if (report.problems.empty()) return std::move(report.breaches);
  return fail(ErrorCode::kCorrupt,
              "the ledger in PostgreSQL is not right, and ledger.db stays the ledger: {}",
              report.problems[0]);
}

/// The log goes with the file, where another program kept it from being folded in.
Result<> set_aside(const fs::path& database) {
  for (const char* part : {"-wal", "-shm", ""}) {
    const fs::path file = database.string() + part;
    std::error_code error;
    if (!fs::exists(file, error)) continue;
    fs::rename(file, database.string() + ".moved" + part, error);
    if (error) return fail(ErrorCode::kIo, "cannot rename {}: {}", file.string(), error.message());
  }
  return {};
}

}  // namespace

Result<Moved> move_to_postgres(const fs::path& directory, const std::string& url,
                               const PostgresOptions& options, const fs::path& archive) {
  const fs::path database = directory / "ledger.db";
  std::error_code ignored;
  if (!fs::exists(database, ignored)) {
    return fail(ErrorCode::kNotFound, "there is no ledger.db in {}", directory.string());
  }
  const ServingLock lock = TRY(ServingLock::take(directory));
  auto from = TRY(open_sqlite_store(database));
  TRY(from->begin(Store::Access::kWrite));  // nobody writes meanwhile
  const ChainHead head = TRY(from->head());
  Target to(options);
  TRY(to.open(url));
  Moved moved{.entries = head.sequence};
  if (TRY(to.take(head))) {
    moved = TRY(copy(*from, to, head));
    moved.breaches =
        TRY(look_at({.directory = directory, .url = url, .schema = options.schema, .archive = archive}));
    TRY(to.remove_mark());
  }
  from->rollback();
  from.reset();
  TRY(set_aside(database));
  return moved;
}

}  // namespace feilun::ledger
