#include "engine/engine.h"

#include <utility>

#include "engine/available_memory.h"
#include "engine/engine_factory.h"
#include "engine/engine_options.h"
#include "engine/memory_fit.h"

namespace feilun::engine {
namespace {

BackendOptions::Quantise quantise_of(EngineOptions::Quantise quantise) {
  switch (quantise) {
    case EngineOptions::Quantise::kAsStored:
      return BackendOptions::Quantise::kAsStored;
    case EngineOptions::Quantise::kQ8_0:
      return BackendOptions::Quantise::kQ8_0;
    case EngineOptions::Quantise::kQ4_0:
      return BackendOptions::Quantise::kQ4_0;
    case EngineOptions::Quantise::kW8A8:
      return BackendOptions::Quantise::kW8A8;
    case EngineOptions::Quantise::kF32:
      return BackendOptions::Quantise::kF32;
  }
  std::unreachable();
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::start(model::ModelFile file, EngineOptions options) {
  TRY(check_options(options));
  if (file.embeds()) {
    return fail(ErrorCode::kUnsupported, "{} turns texts into vectors and does not generate", file.name);
  }
  const int64_t block_bytes = kv_block_bytes(file.shape, options.kv_bf16);
  const KvPlan kv = TRY(plan_kv({.context = options.context,
                                 .memory_bytes = options.kv_memory_bytes,
                                 .model_context = file.shape.context,
                                 .block_bytes = block_bytes,
                                 .max_sequences = options.max_sequences}));
  options.context = kv.context;
  const auto quantise = quantise_of(options.quantise);
  TRY(check_fit(weight_bytes(file, quantise), kv.blocks * block_bytes, available_memory()));
  auto backend = TRY(make_cpu_backend(file, {.quantise = quantise,
                                             .kv_bf16 = options.kv_bf16,
                                             .kv_blocks = kv.blocks,
                                             .threads = thread_count(options)}));
  return make_engine(std::move(file), std::move(backend), std::move(options));
}

}  // namespace feilun::engine
