#include "gateway/embedding_deployment.h"

#include "base/check.h"

namespace feilun::gateway {

engine::EmbeddingEngine& EmbeddingDeployment::embeddings() const {
  engine::EmbeddingEngine* engine = engine_.load(std::memory_order_acquire);
  CHECK(engine != nullptr);
  return *engine;
}

std::unexpected<Error> EmbeddingDeployment::refused() const {
  return fail(ErrorCode::kUnsupported, "'{}' gives vectors and does not generate", name_);
}

}  // namespace feilun::gateway
