#include "engine/engine.h"

#include <utility>

#include "engine/available_memory.h"
#include "engine/engine_factory.h"
#include "engine/engine_options.h"
#include "engine/memory_fit.h"

namespace feilun::engine {
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
  TRY(check_fit(weight_bytes(file, options.quantise), kv.blocks * block_bytes, available_memory()));
  auto backend = TRY(make_cpu_backend(file, {.quantise = options.quantise,
                                             .kv_bf16 = options.kv_bf16,
                                             .kv_blocks = kv.blocks,
                                             .threads = thread_count(options)}));
  return make_engine(std::move(file), std::move(backend), std::move(options));
}

}  // namespace feilun::engine
