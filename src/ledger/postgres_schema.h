#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/postgres_connection.h"

namespace feilun::ledger {

/// One step of the tables' form. Steps only lead forward; a step that was published never changes.
struct PostgresMigration {
  int64_t number;  ///< 1, 2, 3 …: the tables' format once it is done
  std::string what;
  std::vector<std::string> statements;
};

/// All there are, in order.
const std::vector<PostgresMigration>& postgres_migration_list();

/// The id of the advisory lock that whoever writes to the ledger in this schema holds.
int64_t postgres_write_lock(const std::string& schema);

/// Does those of `steps` that the tables have not seen, in one transaction under the write lock, and names
/// them; a dry run only names them. kUnsupported when the tables are newer than `steps`.
Result<std::vector<std::string>> migrate(PostgresConnection& connection, const PostgresOptions& options,
                                         std::span<const PostgresMigration> steps, bool dry_run);

}  // namespace feilun::ledger
