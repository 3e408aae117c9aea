#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/postgres_options.h"

namespace feilun::ledger {

struct Moved {
  int64_t entries = 0;
  int64_t segments = 0;
  int64_t rows = 0;                   ///< of the state
  std::vector<std::string> breaches;  ///< as audit::verify() reports them
};

/// Moves the ledger from `directory`/ledger.db to the PostgreSQL of `url`, byte for byte, has the auditor
/// look at it there, and then names the file ledger.db.moved. The anchor and the archive stay in the
/// directory, which goes on being the server's. `archive`: where the auditor finds archived segments; empty:
/// `archive` in the directory.
///
/// It may be ended at any time and done again: until the auditor has found all well, the tables bear a mark
/// that every gateway refuses, and ledger.db is the ledger.
///
/// kNotFound when there is no ledger.db; kConflict when a server runs on it, or the tables hold anything but
/// an unfinished move of this very ledger; kCorrupt, with the auditor's first problem, when the copy is not
/// right or its journal cannot be followed.
Result<Moved> move_to_postgres(const std::filesystem::path& directory, const std::string& url,
                               const PostgresOptions& options = {},
                               const std::filesystem::path& archive = {});

}  // namespace feilun::ledger
