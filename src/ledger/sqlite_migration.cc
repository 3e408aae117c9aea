#include "ledger/sqlite_migration.h"

#include "ledger/sqlite_schema.h"

namespace feilun::ledger {
namespace {

Result<int64_t> number_of(SqliteConnection& connection, const char* sql) {
  SqliteQuery query(connection, sql);
  if (!TRY(query.next())) return connection.corrupt(sql);
  return query.integer(0);
}

/// The steps from the database's format on.
Result<std::vector<SchemaStep>> missing_of(SqliteConnection& connection, std::span<const SchemaStep> steps) {
  const int64_t format = TRY(number_of(connection, "PRAGMA user_version"));
  if (format > steps.back().number) {
    return fail(ErrorCode::kUnsupported, "the ledger's format {} is newer than this program's {}", format,
                steps.back().number);
  }
  if (format != 0 && TRY(number_of(connection, "PRAGMA application_id")) != kSqliteApplicationId) {
    return connection.corrupt("it is no ledger");
  }
  const bool has_objects = TRY(number_of(connection, "SELECT count(*) FROM sqlite_schema")) > 0;
  if (format == 0 ? has_objects : format < steps.front().number) {
    return connection.corrupt("it is another program's database");
  }
  std::vector<SchemaStep> missing;
  for (const SchemaStep& step : steps) {
    if (step.number > format) missing.push_back(step);
  }
  return missing;
}

Result<std::vector<SchemaStep>> apply_missing(SqliteConnection& connection,
                                              std::span<const SchemaStep> steps) {
  auto missing = TRY(missing_of(connection, steps));
  for (const std::string& statement : sqlite_statements(missing)) TRY(connection.execute(statement.c_str()));
  return missing;
}

}  // namespace

const std::vector<SchemaStep>& sqlite_steps() {
  static const std::vector<SchemaStep> steps = [] {
    SchemaStep first{.number = 2, .what = "the journal, its segments, and the state", .statements = {}};
    for (const SqliteObject& object : kSqliteSchema) first.statements.emplace_back(object.sql);
    return std::vector<SchemaStep>{
        first,
        {3, "free money, what refunds gave back and usage by the day, by the journal", {}},
        {4, "acts that move money in the audit log, by the journal", {}},
    };
  }();
  return steps;
}

std::vector<std::string> sqlite_statements(std::span<const SchemaStep> steps) {
  std::vector<std::string> statements;
  for (const SchemaStep& step : steps) {
    statements.insert(statements.end(), step.statements.begin(), step.statements.end());
  }
  if (steps.empty()) return statements;
  statements.push_back(fmt::format("PRAGMA application_id={}", kSqliteApplicationId));
  statements.push_back(fmt::format("PRAGMA user_version={}", steps.back().number));
  return statements;
}

Result<std::vector<SchemaStep>> migrate(SqliteConnection& connection, std::span<const SchemaStep> steps,
                                        bool dry_run) {
  TRY(connection.execute(dry_run ? "BEGIN" : "BEGIN IMMEDIATE"));
  auto done = dry_run ? missing_of(connection, steps) : apply_missing(connection, steps);
  auto ended = connection.execute(done ? "COMMIT" : "ROLLBACK");
  if (done && !ended) return std::unexpected(ended.error());
  return done;
}

}  // namespace feilun::ledger
