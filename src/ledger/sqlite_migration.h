#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/schema_step.h"
#include "ledger/sqlite_query.h"

namespace feilun::ledger {

/// All there are, in order; the last one leads to the tables of sqlite_schema.h.
const std::vector<SchemaStep>& sqlite_steps();

/// What does the steps and says then which format the tables have.
std::vector<std::string> sqlite_statements(std::span<const SchemaStep> steps);

/// Does those of `steps` that the database has not seen, in one transaction, and returns them; a dry run does
/// nothing. kUnsupported when its format is newer than `steps`, kCorrupt when it is no ledger.
Result<std::vector<SchemaStep>> migrate(SqliteConnection& connection, std::span<const SchemaStep> steps,
                                        bool dry_run);

}  // namespace feilun::ledger
