#pragma once

#include <cstdint>
#include <filesystem>

namespace feilun::engine {

/// Bytes that this process may still fill: MemAvailable of /proc/meminfo, or what the process's memory
/// control group (version 1 or 2, its parents included) leaves, whichever is less. File pages that the kernel
/// would drop for us count as free. What cannot be read sets no limit. `root` is "/" outside of tests.
int64_t available_memory(const std::filesystem::path& root = "/");

}  // namespace feilun::engine
