#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// A Store over the SQLite database at `path` (WAL, synchronous=FULL), made with its tables when absent.
/// kCorrupt when the file is something else, kUnsupported when its format is newer than this program.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path);

}  // namespace feilun::ledger
