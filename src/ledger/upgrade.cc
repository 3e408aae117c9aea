#include "ledger/upgrade.h"

#include "ledger/audit.h"
#include "ledger/postgres_schema.h"
#include "ledger/postgres_store.h"
#include "ledger/serving_lock.h"
#include "ledger/sqlite_migration.h"

namespace feilun::ledger {
namespace {

using Steps = Result<std::vector<SchemaStep>>;

Steps sqlite_migrations(const std::filesystem::path& directory, bool dry_run,
                        const PostgresOptions& options) {
  ServingLock lock;
  if (!dry_run) lock = TRY(ServingLock::take(directory));
  SqliteConnection connection;
  TRY(connection.open((directory / "ledger.db").string(), options.lock_wait));
  TRY(connection.execute("PRAGMA synchronous=FULL"));
  return migrate(connection, sqlite_steps(), dry_run);
}

}  // namespace

Result<Upgraded> upgrade(const std::filesystem::path& directory, const std::string& url, bool dry_run,
                         const PostgresOptions& options, const std::filesystem::path& archive) {
  std::error_code ignored;
  const bool is_sqlite = url.empty();
  if (is_sqlite && !std::filesystem::exists(directory / "ledger.db", ignored)) {
    return fail(ErrorCode::kNotFound, "there is no ledger in {}", directory.string());
  }
  const auto migrations = [&](bool dry) {
    return is_sqlite ? sqlite_migrations(directory, dry, options) : postgres_migrations(url, dry, options);
  };
  Upgraded upgraded{.steps = TRY(migrations(true)), .breaches = {}};
  if (dry_run || upgraded.steps.empty()) return upgraded;
  const size_t all = is_sqlite ? sqlite_steps().size() : postgres_steps().size();
  if (upgraded.steps.size() == all) {  // there is no journal yet
    upgraded.steps = TRY(migrations(false));
    return upgraded;
  }
  const audit::Place place{.directory = directory, .url = url, .schema = options.schema, .archive = archive};
  const auto steps = is_sqlite ? sqlite_statements(upgraded.steps) : postgres_statements(upgraded.steps);
  upgraded.breaches = TRY(audit::rebuild(place, /*dry_run=*/false, steps)).breaches;
  return upgraded;
}

}  // namespace feilun::ledger
