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

Steps upgrade(const std::filesystem::path& directory, const std::string& url, bool dry_run,
              const PostgresOptions& options, const std::filesystem::path& archive) {
  std::error_code ignored;
  if (url.empty() && !std::filesystem::exists(directory / "ledger.db", ignored)) {
    return fail(ErrorCode::kNotFound, "there is no ledger in {}", directory.string());
  }
  const auto migrations = [&](bool dry) {
    return url.empty() ? sqlite_migrations(directory, dry, options) : postgres_migrations(url, dry, options);
  };
  auto missing = TRY(migrations(true));
  const size_t all = url.empty() ? sqlite_steps().size() : postgres_steps().size();
  if (dry_run || missing.empty()) return missing;
  // First the state, so that what is cut off between the two is begun anew.
  if (missing.size() < all) {
    TRY(audit::rebuild({.directory = directory, .url = url, .schema = options.schema, .archive = archive},
                       false));
  }
  return migrations(false);
}

}  // namespace feilun::ledger
