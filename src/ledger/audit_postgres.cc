#include <fmt/format.h>
#include <libpq-fe.h>

#include <array>
#include <chrono>
#include <initializer_list>
#include <span>
#include <thread>

#include "ledger/audit_source.h"
#include "ledger/postgres_schema.h"

// Rows come through a cursor, a few thousand at a time, in PostgreSQL's binary form.

namespace feilun::ledger::audit {
namespace {

constexpr Oid kBigint = 20;
constexpr Oid kBytea = 17;
constexpr int kAtOnce = 2000;
constexpr int kEndingPauses = 20;
constexpr std::chrono::milliseconds kEndingPause{100};

struct Close {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* rows) const { PQclear(rows); }
};
using Rows = std::unique_ptr<PGresult, Close>;

std::string bytes_at(const Rows& rows, int row, int column) {
  return {PQgetvalue(rows.get(), row, column), static_cast<size_t>(PQgetlength(rows.get(), row, column))};
}

int64_t number_at(const Rows& rows, int row, int column) {
  uint64_t value = 0;
  for (const char c : bytes_at(rows, row, column)) value = value << 8 | static_cast<uint8_t>(c);
  return static_cast<int64_t>(value);
}

std::string one_line(const char* message) {
  std::string line = message;
  while (!line.empty() && line.back() == '\n') line.pop_back();
  for (char& c : line) c = c == '\n' ? ' ' : c;
  return line;
}

class PostgresSource final : public Source {
 public:
  Result<> open(const std::string& url, Access access, const std::string& schema);

  Result<> check(const std::function<void(std::string)>& problem) override;
  Result<int64_t> steps_behind() override {
    const Rows format = TRY(run("SELECT coalesce(max(number), 0)::bigint FROM migrations"));
    return postgres_steps().back().number - number_at(format, 0, 0);
  }
  Result<> segments(const std::function<Result<>(StoredSegment)>& take) override;
  Result<> entries(const std::function<Result<>(StoredEntry)>& take) override;
  Result<> state(const std::function<Result<>(std::string, std::string)>& take) override;
  Result<> put(const std::string& key, const std::string& value) override;
  Result<> erase(const std::string& key) override;
  Result<> execute(const std::string& sql) override {
    TRY(run(sql));
    return {};
  }
  Result<> commit() override { return execute("COMMIT"); }

 private:
  std::unexpected<Error> failed() {
    const bool lost = PQstatus(connection_.get()) != CONNECTION_OK;
    return fail(lost ? ErrorCode::kUnavailable : ErrorCode::kCorrupt, "the ledger's PostgreSQL: {}",
                one_line(PQerrorMessage(connection_.get())));
  }
  Result<Rows> run(const std::string& sql, std::span<const std::string* const> parameters = {});
  /// Connections of other programs of feilun.
  Result<int64_t> others();
  Result<> keep_others_out(const std::string& schema);
  /// Calls `take` with the index of each row; the columns are of these types, or it is no ledger.
  template <typename Take>
  Result<> each(const std::string& select, int at_once, std::initializer_list<Oid> types, Take&& take);

  std::unique_ptr<PGconn, Close> connection_;
};

Result<Rows> PostgresSource::run(const std::string& sql, std::span<const std::string* const> parameters) {
  std::array<const char*, 2> values{};
  std::array<int, 2> sizes{};
  constexpr std::array<Oid, 2> kTypes = {kBytea, kBytea};
  constexpr std::array<int, 2> kBinary = {1, 1};
  for (size_t i = 0; i < parameters.size(); ++i) {
    values[i] = parameters[i]->data();
    sizes[i] = static_cast<int>(parameters[i]->size());
  }
  Rows rows(PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(parameters.size()), kTypes.data(),
                         values.data(), sizes.data(), kBinary.data(), 1));
  const auto status = PQresultStatus(rows.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return failed();
  return rows;
}

Result<> PostgresSource::open(const std::string& url, Access access, const std::string& schema) {
  // libpq's own words about a malformed URL would show its password.
  PQconninfoOption* parsed = PQconninfoParse(url.c_str(), nullptr);
  PQconninfoFree(parsed);
  if (parsed == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                "the ledger's URL is not postgres://user:password@host:port/database");
  }
  connection_.reset(PQconnectdb(url.c_str()));
  if (PQstatus(connection_.get()) != CONNECTION_OK) return failed();
  PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
  const std::unique_ptr<char, decltype(&PQfreemem)> quoted(
      PQescapeIdentifier(connection_.get(), schema.data(), schema.size()), &PQfreemem);
  if (!quoted) return failed();
  TRY(run(fmt::format("SET search_path = {}", quoted.get())));
  TRY(run(access == Access::kRead ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN"));
  if (access == Access::kRepair) TRY(keep_others_out(schema));
  return {};
}

Result<int64_t> PostgresSource::others() {
  TRY(run("SELECT pg_stat_clear_snapshot()"));  // or the transaction sees the same ones for ever
  const Rows count = TRY(run(
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'feilun' AND pid <> pg_backend_pid() "
      "AND datname = current_database()"));
  return number_at(count, 0, 0);
}

/// Whoever comes later waits for the write lock before it looks at the tables' format, and finds it changed
/// where a repair changed it.
Result<> PostgresSource::keep_others_out(const std::string& schema) {
  int64_t count = TRY(others());
  // A connection that was closed a moment ago still counts until its process has ended.
  for (int pause = 0; count > 0 && pause < kEndingPauses; ++pause) {
    std::this_thread::sleep_for(kEndingPause);
    count = TRY(others());
  }
  if (count == 0) {
    TRY(execute(fmt::format("SELECT pg_advisory_xact_lock({})", postgres_write_lock(schema))));
    TRY(execute("LOCK TABLE journal, segments, state IN EXCLUSIVE MODE"));
    count = TRY(others());
  }
  if (count == 0) return {};
  return fail(ErrorCode::kConflict, "{} connections of feilun work on this database: stop its gateways first",
              count);
}

Result<> PostgresSource::check(const std::function<void(std::string)>& problem) {
  const Rows tables =
      TRY(run("SELECT count(*) FROM unnest(ARRAY['journal', 'segments', 'state']) AS name "
              "WHERE to_regclass(name) IS NOT NULL"));
  if (number_at(tables, 0, 0) != 3) problem("the database has not the tables of a ledger");
  return {};
}

template <typename Take>
Result<> PostgresSource::each(const std::string& select, int at_once, std::initializer_list<Oid> types,
                              Take&& take) {
  TRY(run("DECLARE reading NO SCROLL CURSOR FOR " + select));
  for (;;) {
    const Rows rows = TRY(run(fmt::format("FETCH {} FROM reading", at_once)));
    for (int column = 0; const Oid type : types) {
      if (PQftype(rows.get(), column++) != type) {
        return fail(ErrorCode::kCorrupt, "the database's tables are not this format's");
      }
    }
    for (int row = 0; row < PQntuples(rows.get()); ++row) TRY(take(rows, row));
    if (PQntuples(rows.get()) == 0) break;
  }
  return execute("CLOSE reading");
}

Result<> PostgresSource::segments(const std::function<Result<>(StoredSegment)>& take) {
  return each("SELECT first, last, hash, bytes FROM segments ORDER BY first", 1,
              {kBigint, kBigint, kBytea, kBytea}, [&](const Rows& rows, int row) {
                StoredSegment segment{
                    number_at(rows, row, 0), number_at(rows, row, 1), bytes_at(rows, row, 2), {}};
                if (PQgetisnull(rows.get(), row, 3) == 0) segment.bytes = bytes_at(rows, row, 3);
                return take(std::move(segment));
              });
}

Result<> PostgresSource::entries(const std::function<Result<>(StoredEntry)>& take) {
  return each("SELECT sequence, time, payload, hash FROM journal ORDER BY sequence", kAtOnce,
              {kBigint, kBigint, kBytea, kBytea}, [&](const Rows& rows, int row) {
                return take({number_at(rows, row, 0), number_at(rows, row, 1), bytes_at(rows, row, 2),
                             bytes_at(rows, row, 3)});
              });
}

Result<> PostgresSource::state(const std::function<Result<>(std::string, std::string)>& take) {
  return each(
      "SELECT key, value FROM state ORDER BY key", kAtOnce, {kBytea, kBytea},
      [&](const Rows& rows, int row) { return take(bytes_at(rows, row, 0), bytes_at(rows, row, 1)); });
}

Result<> PostgresSource::put(const std::string& key, const std::string& value) {
  const std::array parameters = {&key, &value};
  TRY(
      run("INSERT INTO state (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET "
          "value = excluded.value",
          parameters));
  return {};
}

Result<> PostgresSource::erase(const std::string& key) {
  const std::array parameters = {&key};
  TRY(run("DELETE FROM state WHERE key = $1", parameters));
  return {};
}

}  // namespace

Result<std::unique_ptr<Source>> open_postgres_source(const std::string& url, Access access,
                                                     const std::string& schema) {
  auto source = std::make_unique<PostgresSource>();
  TRY(source->open(url, access, schema));
  return source;
}

}  // namespace feilun::ledger::audit
