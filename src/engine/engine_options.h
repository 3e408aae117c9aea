#pragma once

#include "engine/engine.h"

// What both kinds of engine make of their options.

namespace feilun::engine {

/// kInvalidArgument for counts that must be at least one.
Result<> check_options(const EngineOptions& options);
/// As asked for; 0: one a core.
int thread_count(const EngineOptions& options);

}  // namespace feilun::engine
