#include "ledger/audit.h"
#include "ledger/serving_lock.h"
#include "ledger/verify_journal.h"
#include "ledger/verify_replay.h"

// The order matters: the anchor is read before the database is opened; the database as such is checked before
// any row is read; the journal is replayed whole before the state is compared with it.

namespace feilun::ledger::audit {
namespace {

constexpr size_t kNotedMax = 100;
/// Tables with rows of which a program did not know that was so many formats behind.
std::string_view tables_that_grew(int64_t steps_behind) {
  if (steps_behind <= 0) return "";
  return steps_behind == 1 ? "T" : "TbgG";
}

std::filesystem::path archive_of(const Place& place) {
  return place.archive.empty() ? place.directory / "archive" : place.archive;
}

/// A row of the state that is not as the journal gives it.
struct Difference {
  std::string key;
  const std::string* right = nullptr;  ///< its value, when there must be such a row
  bool is_missing = false;
  std::string words;
};

class Auditor {
 public:
  explicit Auditor(Place place)
      : place_(std::move(place)),
        replay_([this](std::string what) { problem(std::move(what)); },
                [this](std::string what) { note(report_.breaches, std::move(what)); }) {}

  /// Opens the database, checks it and replays its journal. False when it cannot be read on.
  Result<bool> read(Access access);
  /// Calls `take` with every Difference.
  Result<> compare(const std::function<void(Difference)>& take);
  void problem(std::string what) { note(report_.problems, std::move(what)); }
  VerifyReport& report() { return report_; }
  const Replay& replay() const { return replay_; }
  Source& source() { return *source_; }

 private:
  static void note(std::vector<std::string>& all, std::string what) {
    if (all.size() < kNotedMax) all.push_back(std::move(what));
  }
  Result<> walk(const Report& problem, Chain& chain);

  Place place_;
  VerifyReport report_;
  Replay replay_;
  std::unique_ptr<Source> source_;
};

Result<> Auditor::walk(const Report& problem, Chain& chain) {
  return each_entry(*source_, archive_of(place_), problem, [&](StoredEntry stored) -> Result<> {
    chain.follow(stored);
    ++report_.entries;
    const auto entry = read_payload(stored.payload);
    if (entry) {
      replay_.apply(stored.sequence, stored.time, *entry);
    } else {
      problem(fmt::format("entry {}: cannot be read: {}", stored.sequence, entry.error()));
    }
    return {};
  });
}

Result<bool> Auditor::read(Access access) {
  const Report problem = [this](std::string what) { this->problem(std::move(what)); };
  Chain chain(read_anchors(place_.directory / "ledger.anchor", problem), problem);
  const auto look = [&]() -> Result<> {
    source_ = TRY(place_.open(access));
    const size_t before = report_.problems.size();
    TRY(source_->check(problem));
    if (report_.problems.size() > before) return fail(ErrorCode::kCorrupt, "the journal was not read");
    TRY(walk(problem, chain));
    replay_.end();
    return {};
  };
  const auto looked = look();
  if (!looked && looked.error().code != ErrorCode::kCorrupt) return std::unexpected(looked.error());
  if (!looked) this->problem(looked.error().message);
  // Every ledger in a directory has an anchor; one in PostgreSQL has those of its gateways.
  if (looked) chain.end(place_.url.empty());
  report_.open_holds = replay_.open_requests();
  report_.requests = replay_.ended_requests() + replay_.open_requests();
  return looked.has_value();
}

Result<> Auditor::compare(const std::function<void(Difference)>& take) {
  const ExpectedState& expected = replay_.state();
  auto next = expected.begin();
  const auto missing = [&] {
    take({next->first, &next->second.value, /*is_missing=*/true,
          fmt::format("state: {} is missing (entry {})", row_name(next->first), next->second.sequence)});
    ++next;
  };
  TRY(source_->state([&](const std::string& key, const std::string& value) -> Result<> {
    if (!is_replayed(key)) return {};
    while (next != expected.end() && next->first < key) missing();
    if (next == expected.end() || next->first != key) {
      take({key, nullptr, false, fmt::format("state: {} comes from no entry", row_name(key))});
      return {};
    }
    const auto& [right, sequence] = next->second;
    if (value != right) {
      take({key, &right, false,
            fmt::format("state: {}: {} (entry {})", row_name(key), difference(key, value, right), sequence)});
    }
    ++next;
    return {};
  }));
  while (next != expected.end()) missing();
  return {};
}

}  // namespace

Result<std::unique_ptr<Source>> Place::open(Access access) const {
  if (url.empty()) return open_sqlite_source(directory / "ledger.db", access);
  return open_postgres_source(url, access, schema);
}

Result<VerifyReport> verify(const Place& place) {
  Auditor auditor(place);
  if (!TRY(auditor.read(Access::kRead))) return std::move(auditor.report());
  const std::string_view grew = tables_that_grew(TRY(auditor.source().steps_behind()));
  auto compared = auditor.compare([&](Difference found) {
    if (found.is_missing && grew.contains(found.key.front())) return;
    auditor.problem(std::move(found.words));
  });
  if (!compared && compared.error().code != ErrorCode::kCorrupt) return std::unexpected(compared.error());
  if (!compared) auditor.problem(compared.error().message);
  return std::move(auditor.report());
}

Result<Rebuilt> rebuild(const Place& place, bool dry_run, std::span<const std::string> then) {
  ServingLock lock;
  if (!dry_run && place.url.empty()) {
    std::error_code ignored;
    const bool there = std::filesystem::exists(place.directory / "ledger.db", ignored);
    if (!there) return fail(ErrorCode::kNotFound, "there is no ledger in {}", place.directory.string());
    lock = TRY(ServingLock::take(place.directory));
  }
  Auditor auditor(place);
  TRY(auditor.read(dry_run ? Access::kRead : Access::kRepair));
  const VerifyReport& report = auditor.report();
  if (!report.problems.empty()) {
    return fail(ErrorCode::kCorrupt, "the journal is not whole, so no state follows from it: {}",
                report.problems[0]);
  }
  Rebuilt rebuilt{report.entries, std::ssize(auditor.replay().state()), {}, report.breaches};
  std::vector<Difference> found;
  TRY(auditor.compare([&](Difference difference) { found.push_back(std::move(difference)); }));
  for (const Difference& row : found) {
    if (!dry_run)
      TRY(row.right == nullptr ? auditor.source().erase(row.key) : auditor.source().put(row.key, *row.right));
    rebuilt.differences.push_back(row.words);
  }
  if (dry_run) return rebuilt;
  for (const std::string& statement : then) TRY(auditor.source().execute(statement));
  TRY(auditor.source().commit());
  return rebuilt;
}

Result<> read_journal(const Place& place, const std::function<Result<>(const ReadEntry&)>& take) {
  std::optional<std::string> fault;
  const Report problem = [&](std::string what) { fault = fault.value_or(std::move(what)); };
  const auto source = TRY(place.open(Access::kRead));
  TRY(source->check(problem));
  if (fault) return fail(ErrorCode::kCorrupt, "{}", *fault);
  TRY(each_entry(*source, archive_of(place), problem, [&](StoredEntry stored) -> Result<> {
    auto entry = read_payload(stored.payload);
    if (!entry) {
      return fail(ErrorCode::kCorrupt, "entry {} cannot be read: {}", stored.sequence, entry.error());
    }
    return take({stored.sequence, stored.time, std::move(stored.hash), *std::move(entry)});
  }));
  if (fault) return fail(ErrorCode::kCorrupt, "{}", *fault);
  return {};
}

}  // namespace feilun::ledger::audit

namespace feilun::ledger {

Result<audit::VerifyReport> verify(const std::filesystem::path& directory) {
  return audit::verify({.directory = directory});
}

}  // namespace feilun::ledger
