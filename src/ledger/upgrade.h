#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/postgres_options.h"
#include "ledger/schema_step.h"

namespace feilun::ledger {

struct Upgraded {
  std::vector<SchemaStep> steps;      ///< those that were missing, in order
  std::vector<std::string> breaches;  ///< as audit::verify() reports them; none of a dry run
};

/// Makes a ledger's state what its journal gives, and brings its tables to this program's format, in one
/// transaction: ended at any point, all is as it was, or done. A dry run changes nothing. `url` of a
/// PostgreSQL, or empty for SQLite in `directory`; no server may run: kConflict. kNotFound when the directory
/// has no ledger, kUnsupported when its tables are newer, kCorrupt when its journal cannot be followed.
Result<Upgraded> upgrade(const std::filesystem::path& directory, const std::string& url, bool dry_run,
                         const PostgresOptions& options = {}, const std::filesystem::path& archive = {});

}  // namespace feilun::ledger
