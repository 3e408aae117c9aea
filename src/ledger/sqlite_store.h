#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "base/result.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// A Store over the SQLite database at `path` (WAL, synchronous=FULL), made with its tables when absent.
/// A write that another process keeps locked out for longer than `busy_timeout` fails with kUnavailable.
/// kCorrupt when the file is something else, kUnsupported when its format is newer than this program.
Result<std::unique_ptr<Store>> open_sqlite_store(
    const std::filesystem::path& path, std::chrono::milliseconds busy_timeout = std::chrono::seconds(10));

}  // namespace feilun::ledger
