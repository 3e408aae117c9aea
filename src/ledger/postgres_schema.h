#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/postgres_connection.h"
#include "ledger/schema_step.h"

namespace feilun::ledger {

/// All there are, in order: 1, 2, 3 …
const std::vector<SchemaStep>& postgres_steps();

/// What does the steps and says then which format the tables have; the connection is to their schema.
std::vector<std::string> postgres_statements(std::span<const SchemaStep> steps);

/// The id of the advisory lock that whoever writes to the ledger in this schema holds.
int64_t postgres_write_lock(const std::string& schema);

/// Does those of `steps` that the tables have not seen, in one transaction under the write lock, and returns
/// them, the first with the statements that make the schema; a dry run does nothing. kUnsupported when the
/// tables are newer than `steps`.
Result<std::vector<SchemaStep>> migrate(PostgresConnection& connection, const PostgresOptions& options,
                                        std::span<const SchemaStep> steps, bool dry_run);

}  // namespace feilun::ledger
