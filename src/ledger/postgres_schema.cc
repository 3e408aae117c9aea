#include "ledger/postgres_schema.h"

#include <fmt/format.h>

#include "ledger/bytes.h"

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;

/// A name in '"', or a text in '\''.
std::string quoted(std::string_view text, char quote) {
  std::string with(1, quote);
  for (const char c : text) with.append(c == quote ? 2 : 1, c);
  return with + quote;
}

Result<int64_t> format_of(PostgresConnection& connection, const PostgresOptions& options,
                          milliseconds limit) {
  // Not to_regclass(): it may remember from before the lock was had that there is no such schema.
  PostgresParameters schema;
  schema.bytes(options.schema);
  const PostgresRows tables = TRY(connection.run(
      "SELECT 1 FROM pg_tables WHERE schemaname = $1::text AND tablename = 'migrations'", schema, limit));
  if (tables.size() == 0) return 0;
  const PostgresRows format =
      TRY(connection.run("SELECT coalesce(max(number), 0)::bigint FROM migrations", {}, limit));
  return format.number(0, 0);
}

Result<std::vector<SchemaStep>> migrate_locked(PostgresConnection& connection, const PostgresOptions& options,
                                               std::span<const SchemaStep> steps, bool dry_run) {
  const milliseconds limit = options.lock_wait + options.transaction_limit;
  if (!dry_run) {
    PostgresParameters lock;
    lock.number(postgres_write_lock(options.schema));
    TRY(connection.run("SELECT pg_advisory_xact_lock($1)", lock, limit));
  }
  const int64_t format = TRY(format_of(connection, options, limit));
  if (format > static_cast<int64_t>(steps.size())) {
    return fail(ErrorCode::kUnsupported,
                "the ledger's tables have format {}; this program knows up to {}: use a newer one", format,
                steps.size());
  }
  const auto missing = steps.subspan(static_cast<size_t>(format));
  std::vector<SchemaStep> done(missing.begin(), missing.end());
  if (format == 0) {
    done.front().statements.insert(
        done.front().statements.begin(),
        {"CREATE SCHEMA IF NOT EXISTS " + quoted(options.schema, '"'),
         "CREATE TABLE migrations (number bigint PRIMARY KEY, what text NOT NULL, applied timestamptz NOT "
         "NULL)"});
  }
  if (dry_run || done.empty()) return done;
  for (const std::string& statement : postgres_statements(done)) connection.send(statement.c_str());
  TRY(connection.receive(limit));
  return done;
}

}  // namespace

const std::vector<SchemaStep>& postgres_steps() {
  static const std::vector<SchemaStep> list = {
      {1,
       "the journal, its segments, the state, and the gateways' leases",
       {// The autovacuum settings: sealing deletes thousands of rows at once; the state's hot rows change in
        // place as long as their pages have room.
        "CREATE TABLE journal (sequence bigint PRIMARY KEY, time bigint NOT NULL, payload bytea NOT NULL, "
        "hash bytea NOT NULL)",
        "CREATE TABLE segments (first bigint PRIMARY KEY, last bigint NOT NULL UNIQUE, hash bytea NOT NULL, "
        "bytes bytea)",
        "ALTER TABLE segments ALTER COLUMN bytes SET STORAGE EXTERNAL",
        "CREATE TABLE state (key bytea PRIMARY KEY, value bytea NOT NULL) "
        "WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)",
        "CREATE TABLE leases (name bytea PRIMARY KEY, until timestamptz NOT NULL)"}},
      {2, "free money, what refunds gave back and usage by the day, by the journal", {}},
      {3, "acts that move money in the audit log, by the journal", {}},
  };
  return list;
}

std::vector<std::string> postgres_statements(std::span<const SchemaStep> steps) {
  std::vector<std::string> statements;
  for (const SchemaStep& step : steps) {
    statements.insert(statements.end(), step.statements.begin(), step.statements.end());
    statements.push_back(
        fmt::format("INSERT INTO migrations VALUES ({}, {}, now())", step.number, quoted(step.what, '\'')));
  }
  return statements;
}

int64_t postgres_write_lock(const std::string& schema) {
  const Hash hash = blake2b_256("feilun ledger " + schema);
  uint64_t id = 0;
  for (size_t i = 0; i < 8; ++i) id = id << 8 | hash[i];
  return static_cast<int64_t>(id);
}

Result<std::vector<SchemaStep>> migrate(PostgresConnection& connection, const PostgresOptions& options,
                                        std::span<const SchemaStep> steps, bool dry_run) {
  const milliseconds limit = options.lock_wait + options.transaction_limit;
  connection.send("BEGIN");
  auto done = migrate_locked(connection, options, steps, dry_run);
  if (!connection.is_open()) return done;
  const bool keep = done && !dry_run;
  auto ended = connection.run(keep ? "COMMIT" : "ROLLBACK", {}, limit);
  if (done && !ended) return std::unexpected(ended.error());
  return done;
}

}  // namespace feilun::ledger
