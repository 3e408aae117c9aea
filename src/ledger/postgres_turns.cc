#include "ledger/postgres_turns.h"

#include <fmt/format.h>

#include <ranges>
#include <thread>

#include "base/check.h"
#include "ledger/journal_walk.h"
#include "ledger/postgres_schema.h"
#include "ledger/postgres_statements.h"

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;
using std::views::transform;

constexpr milliseconds kOutcomePause{100};
constexpr milliseconds kLastWords = std::chrono::seconds(2);

}  // namespace

PostgresTurns::PostgresTurns(std::string url, PostgresOptions options)
    : url_(std::move(url)), options_(std::move(options)), lock_(postgres_write_lock(options_.schema)) {}

void PostgresTurns::stop_waiting() {
  hurries_ = true;
  connection_.hurry(kLastWords);
}

Result<> PostgresTurns::open() {
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

Result<> PostgresTurns::connect() {
  TRY(connection_.open(url_, options_));
  for (const PostgresStatement& statement : kStatements) connection_.prepare(statement);
  auto prepared = connection_.receive(options_.slack);
  if (prepared) return {};
  connection_.close();
  return std::unexpected(prepared.error());
}

Result<> PostgresTurns::begin(Access access) {
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

Result<> PostgresTurns::start(Access access) {
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

Result<> PostgresTurns::check_head(const PostgresRows& rows) {
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

void PostgresTurns::evict_lock_holder() {
  if (!connection_.is_open()) return;
  PostgresParameters parameters;
  parameters.number(lock_).number(options_.transaction_limit.count());
  (void)connection_.run(kEvict, parameters, options_.slack);
}

Result<> PostgresTurns::commit() {
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

Result<> PostgresTurns::outcome_of(const ChainHead& ours, const Error& cause) {
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

Result<bool> PostgresTurns::look_for(const ChainHead& ours) {
  // A server may still be about to read and do the COMMIT that was sent. Its transaction holds the write
  // lock until it has ended, so whoever holds the lock sees how it ended.
  TRY(begin(Access::kWrite));
  const bool reached = head_.sequence >= ours.sequence;
  const auto there = reached ? journal_entry(*this, ours.sequence) : Result<JournalRow>();
  rollback();
  if (!there) return std::unexpected(there.error());
  return reached && there->hash == ours.hash;
}

void PostgresTurns::rollback() {
  if (phase_ == Phase::kOutside) return;
  phase_ = Phase::kOutside;
  if (!connection_.is_open()) return;
  // Only what was not waited for is answered here; an error among it is what rolling back is for.
  (void)connection_.receive(options_.slack);
  connection_.send(kRollback);
  if (!connection_.receive(options_.slack)) connection_.close();
}

Result<PostgresRows> PostgresTurns::ask(const PostgresStatement& statement,
                                        const PostgresParameters& parameters) {
  CHECK(phase_ != Phase::kOutside);
  if (broken_) return std::unexpected(*broken_);
  connection_.send(statement, parameters);
  auto answers = noted(connection_.receive(answer_limit()));
  if (answers) return std::move(answers->back());
  broken_ = answers.error();
  return std::unexpected(*broken_);
}

Result<> PostgresTurns::writable() const {
  CHECK(phase_ == Phase::kWriting);
  return broken_ ? Result<>(std::unexpected(*broken_)) : Result<>();
}

Result<> PostgresTurns::tell(const PostgresStatement& statement, const PostgresParameters& parameters) {
  TRY(writable());
  connection_.send(statement, parameters);
  return {};
}

void PostgresTurns::appended(const ChainHead& head) {
  head_ = head;
  appended_ = true;
}

Result<ChainHead> PostgresTurns::head() {
  CHECK(phase_ != Phase::kOutside);
  return head_;
}

}  // namespace feilun::ledger
