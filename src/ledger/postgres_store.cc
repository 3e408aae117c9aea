#include "ledger/postgres_store.h"

#include <ranges>

#include "base/check.h"
#include "ledger/postgres_schema.h"
#include "ledger/postgres_statements.h"
#include "ledger/postgres_turns.h"

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;
using std::views::transform;

class PostgresStore final : public PostgresTurns {
 public:
  using PostgresTurns::PostgresTurns;

  Result<> take_lease(std::string_view name, milliseconds lasts) override;
  Result<bool> renew_lease(std::string_view name, milliseconds lasts) override;
  Result<> end_lease(std::string_view name) override;
  Result<> end_lapsed_leases() override;
  Result<std::vector<std::string>> leases() override;
  Result<std::string> leading_lease() override;

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
  Result<std::vector<Segment>> segments_in(const PostgresRows& rows);
};

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
  TRY(writable());
  if (rows.empty()) return {};
  CHECK(rows.front().sequence == last().sequence + 1);
  PostgresParameters parameters;
  parameters.numbers(rows | transform(&JournalRow::sequence));
  parameters.numbers(rows |
                     transform([](const JournalRow& row) { return row.time.time_since_epoch().count(); }));
  parameters.strings(rows | transform(&JournalRow::payload));
  parameters.strings(rows | transform([](const JournalRow& row) { return view(row.hash); }));
  TRY(tell(kAppend, parameters));
  appended({rows.back().sequence, rows.back().hash});
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
    segment.archived = TRY(noted(rows.number(row, 3))) != 0;
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
  TRY(writable());
  CHECK(segment.first <= segment.last && segment.last < last().sequence);
  const PostgresRows unchained =
      TRY(ask(kUnchain, std::move(PostgresParameters().number(segment.first).number(segment.last))));
  if (unchained.affected() != segment.last - segment.first + 1) {
    return noted(Result<>(fail(ErrorCode::kCorrupt, "of the entries {} to {} only {} are in the journal",
                               segment.first, segment.last, unchained.affected())));
  }
  PostgresParameters parameters;
  parameters.number(segment.first).number(segment.last).bytes(view(segment.hash)).bytes(segment.bytes);
  return tell(kSeal, parameters);
}

Result<> PostgresStore::archive_segment(int64_t first) {
  TRY(writable());
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
  TRY(writable());
  std::vector<std::string_view> keys;
  std::vector<std::string_view> values;
  std::vector<std::string_view> erased;
  for (const StateChange& change : changes) {
    (change.value ? keys : erased).push_back(change.key);
    if (change.value) values.push_back(*change.value);
  }
  if (!keys.empty()) TRY(tell(kPut, std::move(PostgresParameters().strings(keys).strings(values))));
  if (!erased.empty()) TRY(tell(kErase, std::move(PostgresParameters().strings(erased))));
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
