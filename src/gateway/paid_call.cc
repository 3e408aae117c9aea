#include "gateway/paid_call.h"

namespace feilun::gateway {

Result<Deployment*> ready_deployment(const Visit& visit, std::string_view model, Serves wanted) {
  if (visit.key.scope) TRY(visit.key.scope->check_model(model));
  Deployment* deployment = visit.services.deployments.find(model);
  if (deployment == nullptr) {
    return std::unexpected(
        Error{ErrorCode::kNotFound, fmt::format("there is no model named '{}' here", model), "model"});
  }
  if (deployment->embeds() != (wanted == Serves::kVectors)) {
    return std::unexpected(
        Error{ErrorCode::kUnsupported,
              deployment->embeds()
                  ? fmt::format("'{}' gives vectors and no text: ask /v1/embeddings", model)
                  : fmt::format("'{}' gives text and no vectors; /v1/models tells which do", model),
              "model"});
  }
  if (!deployment->ready()) {
    return std::unexpected(
        Error{ErrorCode::kUnavailable, fmt::format("'{}' is still being loaded", model), "model"});
  }
  return deployment;
}

Error cut_short() {
  return {ErrorCode::kCancelled, "the client closed its side before the answer was whole"};
}

}  // namespace feilun::gateway
