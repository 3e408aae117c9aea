#pragma once

#include <filesystem>

#include "base/result.h"

namespace feilun::ledger {

/// Makes a file's contents durable, or the names that a directory holds. kIo.
Result<> sync_path(const std::filesystem::path& path);

}  // namespace feilun::ledger
