#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace feilun {

/// All bytes of a file, or of what else can be read, such as /dev/stdin. kNotFound where there is none; kIo,
/// with the reason, where it cannot be read: a directory, too.
Result<std::string> read_file(const std::filesystem::path& path);

}  // namespace feilun
