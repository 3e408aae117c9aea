#include "ledger/postgres_store.h"

#include <algorithm>
#include <atomic>
#include <ranges>
#include <thread>

#include "base/check.h"
#include "ledger/journal_walk.h"
#include "ledger/postgres_connection.h"
#include "ledger/postgres_schema.h"
#include "ledger/postgres_statements.h"

// A write transaction begins with the ledger's one advisory lock and reads the head under it. READ COMMITTED
// is then enough: what others committed is seen by the statements that follow, and nobody else writes.
//
// Statements go out without waiting. append() and write() only send; their answers are taken with those of
// the next question, or of COMMIT. So a group costs two round trips beside the reads of its rules: begin,
// lock and head are one; its rows and its COMMIT are the other.

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::views::transform;

constexpr milliseconds kOutcomePause{100};
constexpr milliseconds kLastWords = std::chrono::seconds(2);

class PostgresStore final : public Store {
 public:
  PostgresStore(std::string url, PostgresOptions options)
      : url_(std::move(url)), options_(std::move(options)), lock_(postgres_write_lock(options_.schema)) {}

  Result<> open();

  Result<> begin(Access access) override;
  Result<> commit() override;
  void rollback() override;
  Result<> maintain() override { return {}; }
  const std::optional<Error>& failure() const override { return failure_; }
  void abandon() override { connection_.close(); }
  void stop_waiting() override {
    hurries_ = true;
    connection_.hurry(kLastWords);
  }

  bool is_shared() const override { return true; }
  Result<> take_lease(std::string_view name, milliseconds lasts) override;
  Result<bool> renew_lease(std::string_view name, milliseconds lasts) override;
  Result<> end_lease(std::string_view name) override;
  Result<> end_lapsed_leases() override;
  Result<std::vector<std::string>> leases() override;
  Result<std::string> leading_lease() override;

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
  enum class Phase { kOutside, kReading, kWriting };

  Result<> connect();
  Result<> start(Access access);
  /// How long a statement of this transaction may take to answer.
  milliseconds answer_limit() const {
    return phase_ == Phase::kReading ? options_.read_wait : options_.transaction_limit + options_.slack;
  }
  Result<> check_head(const PostgresRows& rows);
  void evict_lock_holder();
  /// What became of a commit whose connection was lost because of `cause`.
  Result<> outcome_of(const ChainHead& ours, const Error& cause);
  /// Whether the entry is there, once no transaction is left that could still write it.
  Result<bool> look_for(const ChainHead& ours);

  Result<std::vector<Segment>> segments_in(const PostgresRows& rows);
  Result<PostgresRows> ask(const PostgresStatement& statement, const PostgresParameters& parameters = {});
  /// Remembers an error that is a failure.
  template <typename T>
  Result<T> noted(Result<T> result) {
    if (!result && result.error().code != ErrorCode::kUnavailable && !failure_) failure_ = result.error();
    return result;
  }

  std::string url_;
  PostgresOptions options_;
  int64_t lock_;
  PostgresConnection connection_;
  std::optional<Error> failure_;
  ChainHead known_;  ///< the last head that was seen committed
  std::atomic<bool> hurries_{false};

  // Of the transaction.
  Phase phase_ = Phase::kOutside;
  ChainHead head_;
  bool appended_ = false;
  std::optional<Error> broken_;  ///< why it can only be rolled back
};

Result<> PostgresStore::open() {
  TRY(connection_.open(url_, options_));
  const auto missing = TRY(migrate(connection_, options_, postgres_steps(), true));
  if (missing.size() == postgres_steps().size()) {
    TRY(migrate(connection_, options_, postgres_steps(), false));
  } else if (!missing.empty()) {
    return fail(ErrorCode::kUnsupported,
                "the ledger's tables are older than this program and need `feilun ledger upgrade`: {}",
                fmt::join(missing | transform(&SchemaStep::what), "; "));
  }
  connection_.close();
  return connect();
}

Result<> PostgresStore::connect() {
  TRY(connection_.open(url_, options_));
  for (const PostgresStatement& statement : kStatements) connection_.prepare(statement);
  auto prepared = connection_.receive(options_.slack);
  if (prepared) return {};
  connection_.close();
  return std::unexpected(prepared.error());
}

Result<> PostgresStore::begin(Access access) {
  CHECK(phase_ == Phase::kOutside);
  if (failure_) return std::unexpected(*failure_);
  const bool was_open = connection_.is_open();
  if (!was_open) TRY(noted(connect()));
  auto started = start(access);
  if (started) return {};
  if (was_open && !connection_.is_open() && !connection_.fell_silent()) {
    // It broke while nothing was going on: a server that was started anew, for example.
    rollback();
    return begin(access);
  }
  rollback();
  if (access == Access::kWrite && started.error().code == ErrorCode::kUnavailable) evict_lock_holder();
  return noted(std::move(started));
}

Result<> PostgresStore::start(Access access) {
  if (access == Access::kWrite) {
    connection_.send(kBegin);
    connection_.send(kLock, std::move(PostgresParameters().number(lock_)));
  } else {
    connection_.send(kBeginReading);
    connection_.send(kReaderMayIdle);
  }
  connection_.send(kHead);
  phase_ = access == Access::kWrite ? Phase::kWriting : Phase::kReading;
  appended_ = false;
  broken_.reset();
  const bool reading = access == Access::kRead;
  const auto answers =
      TRY(connection_.receive(reading ? options_.read_wait : options_.lock_wait + options_.slack));
  return check_head(answers.back());
}

Result<> PostgresStore::check_head(const PostgresRows& rows) {
  const int64_t format = TRY(rows.number(0, 0));
  if (format != std::ssize(postgres_steps())) {
    return fail(ErrorCode::kUnsupported, "the ledger's tables have format {} now; this program writes {}",
                format, postgres_steps().size());
  }
  head_ = {};
  if (!rows.is_null(0, 1)) head_ = {TRY(rows.number(0, 1)), TRY(rows.hash(0, 2))};
  const bool behind = head_.sequence < known_.sequence;
  if (behind || (head_.sequence == known_.sequence && head_.hash != known_.hash)) {
    return fail(ErrorCode::kCorrupt, "the ledger's database ends at entry {}, but had committed another {}",
                head_.sequence, known_.sequence);
  }
  known_ = head_;
  return {};
}

void PostgresStore::evict_lock_holder() {
  if (!connection_.is_open()) return;
  PostgresParameters parameters;
  parameters.number(lock_).number(options_.transaction_limit.count());
  (void)connection_.run(kEvict, parameters, options_.slack);
}

Result<> PostgresStore::commit() {
  CHECK(phase_ != Phase::kOutside);
  if (broken_) {
    const Error why = *broken_;
    rollback();
    return std::unexpected(why);
  }
  connection_.send(kCommit);
  auto answers = connection_.receive(answer_limit());
  if (answers && answers->back().tag() != "COMMIT") {
    answers =
        fail(ErrorCode::kIo, "the ledger's PostgreSQL answered a COMMIT with {}", answers->back().tag());
  }
  const bool lost = !connection_.is_open();
  const ChainHead ours = head_;
  if (!answers) {
    rollback();
    if (lost && appended_) return outcome_of(ours, answers.error());
    return noted(Result<>(std::unexpected(answers.error())));
  }
  phase_ = Phase::kOutside;
  known_ = ours;
  return {};
}

Result<> PostgresStore::outcome_of(const ChainHead& ours, const Error& cause) {
  for (;;) {
    const Result<bool> there = noted(look_for(ours));
    if (there && *there) {
      known_ = ours;
      return {};
    }
    if (there) return fail(ErrorCode::kUnavailable, "nothing was written: {}", cause.message);
    if (failure_) return std::unexpected(*failure_);
    if (hurries_) break;
    std::this_thread::sleep_for(kOutcomePause);
  }
  failure_ = fail(ErrorCode::kUnavailable,
                  "whether entry {} was written is not known, and the database cannot be asked: {}",
                  ours.sequence, cause.message)
                 .error();
  return std::unexpected(*failure_);
}

Result<bool> PostgresStore::look_for(const ChainHead& ours) {
  // A server may still be about to read and do the COMMIT that was sent. Its transaction holds the write
  // lock until it has ended, so whoever holds the lock sees how it ended.
  TRY(begin(Access::kWrite));
  const bool reached = head_.sequence >= ours.sequence;
  const auto there = reached ? journal_entry(*this, ours.sequence) : Result<JournalRow>();
  rollback();
  if (!there) return std::unexpected(there.error());
  return reached && there->hash == ours.hash;
}

void PostgresStore::rollback() {
  if (phase_ == Phase::kOutside) return;
  phase_ = Phase::kOutside;
  if (!connection_.is_open()) return;
  // Only what was not waited for is answered here; an error among it is what rolling back is for.
  (void)connection_.receive(options_.slack);
  connection_.send(kRollback);
  if (!connection_.receive(options_.slack)) connection_.close();
}

Result<PostgresRows> PostgresStore::ask(const PostgresStatement& statement,
                                        const PostgresParameters& parameters) {
  CHECK(phase_ != Phase::kOutside);
  if (broken_) return std::unexpected(*broken_);
  connection_.send(statement, parameters);
  auto answers = noted(connection_.receive(answer_limit()));
  if (answers) return std::move(answers->back());
  broken_ = answers.error();
  return std::unexpected(*broken_);
}

Result<ChainHead> PostgresStore::head() {
  CHECK(phase_ != Phase::kOutside);
  return head_;
}

Result<> PostgresStore::take_lease(std::string_view name, milliseconds lasts) {
  TRY(ask(kTakeLease, std::move(PostgresParameters().bytes(name).number(lasts.count()))));
  return {};
}

Result<bool> PostgresStore::renew_lease(std::string_view name, milliseconds lasts) {
  const auto renewed =
      TRY(ask(kRenewLease, std::move(PostgresParameters().bytes(name).number(lasts.count()))));
  return renewed.affected() == 1;
}

Result<> PostgresStore::end_lease(std::string_view name) {
  TRY(ask(kEndLease, std::move(PostgresParameters().bytes(name))));
  return {};
}

Result<> PostgresStore::end_lapsed_leases() {
  TRY(ask(kEndLapsed));
  return {};
}

Result<std::string> PostgresStore::leading_lease() {
  const PostgresRows rows = TRY(ask(kLeadingLease));
  return rows.size() == 0 ? std::string() : std::string(rows.bytes(0, 0));
}

Result<std::vector<std::string>> PostgresStore::leases() {
  const PostgresRows rows = TRY(ask(kLeases));
  std::vector<std::string> names;
  for (int row = 0; row < rows.size(); ++row) names.emplace_back(rows.bytes(row, 0));
  return names;
}

Result<std::vector<JournalRow>> PostgresStore::entries(int64_t after, int64_t limit) {
  const PostgresRows rows = TRY(ask(kEntries, std::move(PostgresParameters().number(after).number(limit))));
  std::vector<JournalRow> entries;
  entries.reserve(static_cast<size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) {
    JournalRow entry;
    entry.sequence = TRY(noted(rows.number(row, 0)));
    entry.time = WallTime(std::chrono::microseconds(TRY(noted(rows.number(row, 1)))));
    entry.payload = rows.bytes(row, 2);
    entry.hash = TRY(noted(rows.hash(row, 3)));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<> PostgresStore::append(std::span<const JournalRow> rows) {
  CHECK(phase_ == Phase::kWriting);
  if (broken_) return std::unexpected(*broken_);
  if (rows.empty()) return {};
  CHECK(rows.front().sequence == head_.sequence + 1);
  PostgresParameters parameters;
  parameters.numbers(rows | transform(&JournalRow::sequence));
  parameters.numbers(rows |
                     transform([](const JournalRow& row) { return row.time.time_since_epoch().count(); }));
  parameters.strings(rows | transform(&JournalRow::payload));
  parameters.strings(rows | transform([](const JournalRow& row) { return view(row.hash); }));
  connection_.send(kAppend, parameters);
  head_ = {rows.back().sequence, rows.back().hash};
  appended_ = true;
  return {};
}

Result<std::vector<Segment>> PostgresStore::segments() {
  return segments_in(TRY(ask(kSegments)));
}

Result<std::optional<Segment>> PostgresStore::segment_at(int64_t sequence) {
  const PostgresRows rows = TRY(ask(kSegmentAt, std::move(PostgresParameters().number(sequence))));
  auto found = TRY(segments_in(rows));
  if (found.empty()) return std::nullopt;
  return std::move(found[0]);
}

Result<std::vector<Segment>> PostgresStore::segments_in(const PostgresRows& rows) {
  std::vector<Segment> segments;
  for (int row = 0; row < rows.size(); ++row) {
    Segment segment;
    segment.first = TRY(noted(rows.number(row, 0)));
    segment.last = TRY(noted(rows.number(row, 1)));
    segment.hash = TRY(noted(rows.hash(row, 2)));
    segments.push_back(std::move(segment));
  }
  return segments;
}

Result<std::string> PostgresStore::segment_bytes(int64_t first) {
  const PostgresRows rows = TRY(ask(kSegmentBytes, std::move(PostgresParameters().number(first))));
  if (rows.size() == 0) {
    return noted(
        Result<std::string>(fail(ErrorCode::kCorrupt, "the segment from entry {} is missing", first)));
  }
  if (rows.is_null(0, 0)) return fail(ErrorCode::kNotFound, "the segment from entry {} was archived", first);
  return std::string(rows.bytes(0, 0));
}

Result<> PostgresStore::seal(const Segment& segment) {
  CHECK(phase_ == Phase::kWriting && segment.first <= segment.last && segment.last < head_.sequence);
  const PostgresRows unchained =
      TRY(ask(kUnchain, std::move(PostgresParameters().number(segment.first).number(segment.last))));
  if (unchained.affected() != segment.last - segment.first + 1) {
    return noted(Result<>(fail(ErrorCode::kCorrupt, "of the entries {} to {} only {} are in the journal",
                               segment.first, segment.last, unchained.affected())));
  }
  PostgresParameters parameters;
  parameters.number(segment.first).number(segment.last).bytes(view(segment.hash)).bytes(segment.bytes);
  connection_.send(kSeal, parameters);
  return {};
}

Result<> PostgresStore::archive_segment(int64_t first) {
  CHECK(phase_ == Phase::kWriting);
  TRY(ask(kArchive, std::move(PostgresParameters().number(first))));
  return {};
}

Result<std::optional<std::string>> PostgresStore::get(std::string_view key) {
  const PostgresRows rows = TRY(ask(kGet, std::move(PostgresParameters().bytes(key))));
  if (rows.size() == 0) return std::nullopt;
  return std::string(rows.bytes(0, 0));
}

std::vector<StateRow> state_rows(const PostgresRows& rows) {
  std::vector<StateRow> state;
  state.reserve(static_cast<size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) {
    state.push_back({std::string(rows.bytes(row, 0)), std::string(rows.bytes(row, 1))});
  }
  return state;
}

Result<std::vector<StateRow>> PostgresStore::get_all(std::span<const std::string> keys) {
  if (keys.empty()) return std::vector<StateRow>();
  return state_rows(TRY(ask(kGetAll, std::move(PostgresParameters().strings(keys)))));
}

Result<std::vector<StateRow>> PostgresStore::scan(std::string_view from, std::string_view until,
                                                  int64_t limit) {
  PostgresParameters range;
  range.bytes(from).bytes(until).number(limit);
  return state_rows(TRY(ask(kScan, range)));
}

Result<> PostgresStore::write(std::span<const StateChange> changes) {
  CHECK(phase_ == Phase::kWriting);
  if (broken_) return std::unexpected(*broken_);
  std::vector<std::string_view> keys;
  std::vector<std::string_view> values;
  std::vector<std::string_view> erased;
  for (const StateChange& change : changes) {
    (change.value ? keys : erased).push_back(change.key);
    if (change.value) values.push_back(*change.value);
  }
  if (!keys.empty()) connection_.send(kPut, std::move(PostgresParameters().strings(keys).strings(values)));
  if (!erased.empty()) connection_.send(kErase, std::move(PostgresParameters().strings(erased)));
  return {};
}

}  // namespace

Result<std::unique_ptr<Store>> open_postgres_store(std::string url, PostgresOptions options) {
  auto store = std::make_unique<PostgresStore>(std::move(url), std::move(options));
  TRY(store->open());
  return store;
}

Result<std::vector<SchemaStep>> postgres_migrations(const std::string& url, bool dry_run,
                                                    const PostgresOptions& options) {
  PostgresConnection connection;
  TRY(connection.open(url, options));
  return migrate(connection, options, postgres_steps(), dry_run);
}

}  // namespace feilun::ledger
