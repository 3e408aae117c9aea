#include "ledger/spooler.h"

#include <algorithm>

#include "base/log.h"
#include "ledger/fields.h"

namespace feilun::ledger {
namespace {

using Kind = SpoolRecord::Kind;

/// A file that grew beyond this and holds little that is still needed is written anew.
constexpr size_t kTidyBytes = 16 << 20;
constexpr auto kLongest = std::chrono::hours(1);

std::unexpected<Error> away() {
  return fail(ErrorCode::kUnavailable,
              "the ledger's database is away, so no new request can be paid for: nothing was charged");
}

Result<Settlement> apply(Books& books, const SpoolRecord& record) {
  switch (record.kind) {
    case Kind::kMark:
      return Settlement{.request_id = record.request_id,
                        .usage = TRY(books.mark(record.request_id, record.usage))};
    case Kind::kSettle:
      return books.settle(record.request_id, record.usage, record.outcome, record.cost);
    case Kind::kRelease:
      break;
  }
  return books.release(record.request_id, record.outcome);
}

/// Whether the request ended as the record says: then the database had heard it, and only its answer was
/// lost.
Result<bool> is_known(State& state, const SpoolRecord& record) {
  const auto end = TRY(ended_by(state, record.request_id));
  if (!end) return false;
  const std::string payload = TRY(state.entry(*end)).payload;
  FieldReader fields(payload);
  const auto kind = static_cast<EntryKind>(fields.byte());
  fields.text();
  if (record.kind == Kind::kRelease) return kind == EntryKind::kRelease;
  const bool same_end = static_cast<Outcome>(fields.byte()) == record.outcome;
  fields.number();
  return kind == EntryKind::kSettle && same_end && fields.usage() == record.usage;
}

Result<> replay_one(Books& books, const SpoolRecord& record, Replayed& sum) {
  ++sum.records;
  const auto told = apply(books, record);
  if (told && record.kind == Kind::kSettle) sum.charged[{told->offering, told->currency}] += told->charged;
  if (told) return {};
  const ErrorCode code = told.error().code;
  const bool refused =
      code == ErrorCode::kConflict || code == ErrorCode::kNotFound || code == ErrorCode::kInvalidArgument;
  if (!refused) return std::unexpected(told.error());
  if (record.kind == Kind::kMark || TRY(is_known(books.state(), record))) return {};
  spdlog::error("request {}: its end came too late: {}", record.request_id, told.error().message);
  ++sum.fenced;
  sum.wasted += record.usage;
  return {};
}

}  // namespace

Result<Replayed> replay(Books& books, const std::vector<SpoolRecord>& records) {
  Replayed sum;
  for (const SpoolRecord& record : records) TRY(replay_one(books, record, sum));
  return sum;
}

Spooler::Spooler(Spool spool, Writer& writer, const Clock& clock, std::chrono::milliseconds patience,
                 const Replayed& before)
    : spool_(std::move(spool)), writer_(writer), clock_(clock), patience_(patience) {
  stats_.replayed = before.records;
  stats_.fenced = before.fenced;
  stats_.wasted = before.wasted;
  stats_.charged_late = before.charged;
  if (auto cleared = spool_.clear(); !cleared) spdlog::error("{}", cleared.error().message);
  thread_ = std::thread([this] { run(); });
}

void Spooler::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Spooler::hold(HoldRequest request, std::vector<std::string> rows, Done<Hold> done) {
  const auto asked = ask(request.request_id, std::move(done), /*top_up=*/false);
  if (asked == nullptr) return;
  writer_.submit<Hold>(
      [asked, request = std::move(request)](Books& books) -> Result<Hold> {
        if (asked->given_up) return away();
        return books.hold(request);
      },
      [this, asked](Result<Hold> hold) { heard(asked, std::move(hold)); }, Writer::WhenLocked::kFail,
      std::move(rows));
}

void Spooler::top_up(std::string request_id, TokenCount more, Done<Hold> done) {
  const auto asked = ask(request_id, std::move(done), /*top_up=*/true);
  writer_.submit<Hold>(
      [asked, id = std::move(request_id), more](Books& books) -> Result<Hold> {
        if (asked->given_up) return away();
        return books.top_up(id, more);
      },
      [this, asked](Result<Hold> hold) { heard(asked, std::move(hold)); }, Writer::WhenLocked::kWait);
}

/// nullptr when it was refused already.
Spooler::AskedPtr Spooler::ask(const std::string& request_id, Done<Hold> done, bool top_up) {
  Lock lock(mutex_);
  if (stats_.away && !top_up) {
    lock.unlock();
    done(away());
    return nullptr;
  }
  const auto asked = std::make_shared<Asked>();
  asked->request_id = request_id;
  asked->done = std::move(done);
  asked->is_top_up = top_up;
  asked->due = clock_.mono() + patience_;
  const bool first = top_up ? top_ups_.empty() : holds_.empty();
  if (top_up) {
    top_ups_.insert_or_assign(request_id, asked);
  } else {
    holds_.push_back(asked);
  }
  if (first) wake_.notify_one();
  return asked;
}

void Spooler::heard(const AskedPtr& asked, Result<Hold> result) {
  Done<Hold> done;
  bool late = false;
  {
    const std::lock_guard lock(mutex_);
    done = std::exchange(asked->done, nullptr);
    const auto place = top_ups_.find(asked->request_id);
    if (place != top_ups_.end() && place->second == asked) top_ups_.erase(place);
    late = !done && !asked->is_top_up && result;
    if (done && !result && result.error().code == ErrorCode::kUnavailable) {
      is_away();
      result = away();
    }
  }
  if (done) return done(std::move(result));
  // Nobody waits for the hold any more, so nobody would end it.
  if (late) {
    writer_.submit<Settlement>(
        [id = asked->request_id](Books& books) { return books.release(id, Outcome::kFailed); },
        [](const Result<Settlement>&) {}, Writer::WhenLocked::kWait);
  }
}

void Spooler::mark(std::string request_id, TokenUsage usage, Done<TokenUsage> done) {
  tell({.kind = Kind::kMark, .request_id = std::move(request_id), .usage = usage},
       [done = std::move(done)](Result<Settlement> told) mutable {
         if (told) {
           done(told->usage);
         } else {
           done(std::unexpected(std::move(told).error()));
         }
       });
}

void Spooler::settle(std::string request_id, TokenUsage usage, Outcome outcome,
                     std::optional<RequestCost> cost, Done<Settlement> done) {
  tell({Kind::kSettle, std::move(request_id), usage, outcome, std::move(cost)}, std::move(done));
}

void Spooler::release(std::string request_id, Outcome outcome, Done<Settlement> done) {
  tell({.kind = Kind::kRelease, .request_id = std::move(request_id), .outcome = outcome}, std::move(done));
}

void Spooler::tell(SpoolRecord record, Done<Settlement> done) {
  const auto told = std::make_shared<Told>(std::move(record), std::move(done));
  Done<Hold> top_up_done;
  {
    const std::lock_guard lock(mutex_);
    told->due = clock_.mono() + patience_;
    if (stats_.away || waiting_.empty()) wake_.notify_one();
    (stats_.away ? urgent_ : waiting_).push_back(told);
    const auto place = top_ups_.find(told->record.request_id);
    if (told->record.kind != Kind::kMark && place != top_ups_.end()) {
      place->second->given_up = true;
      top_up_done = std::exchange(place->second->done, nullptr);
      top_ups_.erase(place);
    }
  }
  if (top_up_done) top_up_done(away());
  writer_.submit<Settlement>([told](Books& books) { return apply(books, told->record); },
                             [this, told](Result<Settlement> result) { heard(told, std::move(result)); },
                             Writer::WhenLocked::kWait);
}

void Spooler::heard(const ToldPtr& told, Result<Settlement> result) {
  Done<Settlement> done;
  {
    const std::lock_guard lock(mutex_);
    if (!result && result.error().code == ErrorCode::kUnavailable) {
      // The writer stops, or does not know whether it was written: who starts next will tell it again.
      told->given_back = true;
      urgent_.push_back(told);
      wake_.notify_one();
    } else {
      is_back();
      told->confirmed = true;
      if (spooled_.erase(told) > 0 && spooled_.empty()) wake_.notify_one();
      if (!result && result.error().code == ErrorCode::kConflict && told->record.kind != Kind::kMark) {
        ++stats_.fenced;
        stats_.wasted += told->record.usage;
      }
      done = std::exchange(told->done, nullptr);
      if (!done && result && told->record.kind == Kind::kSettle) {
        stats_.charged_late[{result->offering, result->currency}] += result->charged;
      }
    }
  }
  if (done) done(std::move(result));
}

void Spooler::suspect() {
  const auto asked = ask({}, [](const Result<Hold>&) {}, /*top_up=*/false);
  if (asked == nullptr) return;
  writer_.submit<Hold>(
      [asked](Books&) -> Result<Hold> {
        if (asked->given_up) return away();
        return Hold();
      },
      [this, asked](Result<Hold> hold) { heard(asked, std::move(hold)); });
}

/// With the mutex held.
void Spooler::is_away() {
  if (!stats_.away) spdlog::error("the ledger's database does not answer: what ends goes to ledger.spool");
  stats_.away = true;
  urgent_.insert(urgent_.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
  wake_.notify_one();
}

/// With the mutex held.
void Spooler::is_back() {
  if (!stats_.away) return;
  spdlog::info("the ledger's database is back");
  stats_.away = false;
  ++returns_;
}

/// Asks the writer to say when the database is back, whether or not there is something to tell it.
void Spooler::probe() {
  writer_.submit<void>([](Books&) { return Result<>(); },
                       [this](const Result<>& back) {
                         const std::lock_guard lock(mutex_);
                         probing_ = false;
                         if (back) is_back();
                       },
                       Writer::WhenLocked::kWait);
}

void Spooler::run() {
  Lock lock(mutex_);
  for (;;) {
    if (work(lock)) continue;
    if (stopping_) return;
    wake_.wait_for(lock, until_next(clock_.mono()));
  }
}

/// True when something was done, and the lock was let go meanwhile.
bool Spooler::work(Lock& lock) {
  const MonoTime now = clock_.mono();
  const auto leaving = take_due(now);
  const auto overdue = take_overdue(now);
  if (!overdue.empty() || !leaving.empty()) is_away();
  if (stats_.away && !stopping_ && !std::exchange(probing_, true)) {
    lock.unlock();
    probe();
    lock.lock();
  }
  if (overdue.empty() && leaving.empty()) return tidy(lock);
  refuse(lock, overdue);
  spool_all(lock, leaving);
  return true;
}

void Spooler::refuse(Lock& lock, const std::vector<AskedPtr>& overdue) {
  std::vector<Done<Hold>> refused;
  for (const AskedPtr& asked : overdue) refused.push_back(std::exchange(asked->done, nullptr));
  lock.unlock();
  for (auto& done : refused) {
    if (done) done(away());
  }
  lock.lock();
}

/// Of those that are answered already nothing is left to do.
std::vector<Spooler::ToldPtr> Spooler::take_due(MonoTime now) {
  std::vector<ToldPtr> due;
  for (const ToldPtr& told : urgent_) {
    if (!told->confirmed && !spooled_.contains(told)) due.push_back(told);
  }
  urgent_.clear();
  while (!waiting_.empty() && (waiting_.front()->confirmed || waiting_.front()->due <= now)) {
    if (!waiting_.front()->confirmed) due.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return due;
}

std::vector<Spooler::AskedPtr> Spooler::take_overdue(MonoTime now) {
  std::vector<AskedPtr> overdue;
  while (!holds_.empty() && (!holds_.front()->done || holds_.front()->due <= now)) {
    if (holds_.front()->done) overdue.push_back(std::move(holds_.front()));
    holds_.pop_front();
  }
  if (!top_ups_.empty() && now >= writer_.holds_until()) {
    for (auto& [id, asked] : top_ups_) overdue.push_back(std::move(asked));
    top_ups_.clear();
  }
  for (const AskedPtr& asked : overdue) asked->given_up = true;
  return overdue;
}

void Spooler::spool_all(Lock& lock, const std::vector<ToldPtr>& leaving) {
  if (leaving.empty()) return;
  std::vector<SpoolRecord> records;
  for (const ToldPtr& told : leaving) records.push_back(told->record);
  lock.unlock();
  const auto written = spool_.append(records);
  if (!written) spdlog::critical("{}", written.error().message);
  lock.lock();
  std::vector<std::pair<Done<Settlement>, Result<Settlement>>> answers;
  for (const ToldPtr& told : leaving) {
    if (written && !told->confirmed) spooled_.insert(told);
    // Without a spool the end of a request waits for the database, and a mark does not come.
    const bool answer = written || told->given_back || told->record.kind == Kind::kMark;
    if (!answer || !told->done) continue;
    Result<Settlement> result = away();
    if (written) {
      result =
          Settlement{.request_id = told->record.request_id, .usage = told->record.usage, .spooled = true};
    }
    answers.emplace_back(std::exchange(told->done, nullptr), std::move(result));
  }
  if (written) stats_.spooled += std::ssize(leaving);
  stats_.bytes = static_cast<int64_t>(spool_.bytes());
  lock.unlock();
  for (auto& [done, result] : answers) done(std::move(result));
  lock.lock();
}

/// Empties the file when the database knows all of it, or writes it anew when it knows most.
bool Spooler::tidy(Lock& lock) {
  const bool all_told = spooled_.empty() && (spool_.bytes() > 0 || spool_.is_broken());
  if (!all_told && spool_.bytes() < kTidyBytes) return false;
  std::vector<SpoolRecord> needed;
  size_t bytes = 0;
  for (const ToldPtr& told : spooled_) {
    needed.push_back(told->record);
    bytes += spool_bytes(told->record).size();
  }
  if (bytes > spool_.bytes() / 2) return false;
  lock.unlock();
  const auto done = needed.empty() ? spool_.clear() : spool_.replace(needed);
  if (!done) spdlog::error("{}", done.error().message);
  lock.lock();
  stats_.bytes = static_cast<int64_t>(spool_.bytes());
  return done.has_value();
}

std::chrono::nanoseconds Spooler::until_next(MonoTime now) const {
  MonoTime next = now + kLongest;
  if (!waiting_.empty()) next = std::min(next, waiting_.front()->due);
  if (!holds_.empty()) next = std::min(next, holds_.front()->due);
  if (!top_ups_.empty()) next = std::min(next, writer_.holds_until());
  return std::max<std::chrono::nanoseconds>(next - now, std::chrono::milliseconds(1));
}

Spooler::Contact Spooler::contact() const {
  const std::lock_guard lock(mutex_);
  return {.away = stats_.away, .returns = returns_};
}

SpoolStats Spooler::stats() const {
  const std::lock_guard lock(mutex_);
  SpoolStats stats = stats_;
  stats.records = std::ssize(spooled_);
  return stats;
}

}  // namespace feilun::ledger
