#include "ledger/upgrade.h"

#include "ledger/postgres_store.h"
#include "ledger/serving_lock.h"
#include "ledger/sqlite_migration.h"

namespace feilun::ledger {

Result<std::vector<SchemaStep>> upgrade(const std::filesystem::path& directory, const std::string& url,
                                        bool dry_run, const PostgresOptions& options) {
  if (!url.empty()) return postgres_migrations(url, dry_run, options);
  const auto path = directory / "ledger.db";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return fail(ErrorCode::kNotFound, "there is no ledger in {}", directory.string());
  }
  ServingLock lock;
  if (!dry_run) lock = TRY(ServingLock::take(directory));
  SqliteConnection connection;
  TRY(connection.open(path.string(), options.lock_wait));
  TRY(connection.execute("PRAGMA synchronous=FULL"));
  return migrate(connection, sqlite_steps(), dry_run);
}

}  // namespace feilun::ledger
