#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/postgres_options.h"
#include "ledger/schema_step.h"

namespace feilun::ledger {

/// Brings a ledger's tables to this program's format, in one transaction, and returns the steps that were
/// missing, in order; a dry run changes nothing. `url` of a PostgreSQL, or empty for SQLite in `directory`,
/// where no server may run: kConflict. Gateways on PostgreSQL that are older stop by themselves. kNotFound
/// when the directory has no ledger, kUnsupported when its tables are newer.
Result<std::vector<SchemaStep>> upgrade(const std::filesystem::path& directory, const std::string& url,
                                        bool dry_run, const PostgresOptions& options = {},
                                        const std::filesystem::path& archive = {});

}  // namespace feilun::ledger
