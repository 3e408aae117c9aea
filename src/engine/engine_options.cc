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

model::WeightConversion conversion_of(EngineOptions::Quantise quantise) {
  switch (quantise) {
    case EngineOptions::Quantise::kAsStored:
      return std::nullopt;
    case EngineOptions::Quantise::kQ8_0:
      return compute::DType::kQ8_0;
    case EngineOptions::Quantise::kQ4_0:
      return compute::DType::kQ4_0;
    case EngineOptions::Quantise::kW8A8:
      return compute::DType::kW8;
    case EngineOptions::Quantise::kF32:
      return compute::DType::kF32;
  }
  std::unreachable();
}

}  // namespace feilun::engine
