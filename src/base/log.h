#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

namespace feilun {

/// Sets up the one logger of the process: standard error, one line an event. Levels: trace, debug, info,
/// warn, error. Use spdlog::info(…) and its kin everywhere; never log a key, a prompt or an answer.
void start_logging(std::string_view level);

}  // namespace feilun
