#include "engine/engine_options.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace feilun::engine {

Result<> check_options(const EngineOptions& options) {
  if (options.prefill_chunk < 1 || options.max_sequences < 1 || options.max_waiting < 1 ||
      options.threads < 0) {
    return fail(ErrorCode::kInvalidArgument,
                "the prefill chunk, the sequences in a step and the queue must each be at least 1");
  }
  return {};
}

int thread_count(const EngineOptions& options) {
  if (options.threads > 0) return options.threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace feilun::engine
