#include "apps/served_model.h"

#include "base/clock.h"

namespace feilun::apps {

ServedModel::ServedModel(NamedModel model)
    : name_(model.name),
      embeds_(model.file.embeds()),
      chats_(model.file.chat_template != nullptr),
      file_(std::move(model)) {
  const WallTime now = SystemClock().wall();
  if (embeds_) {
    embedding_ = std::make_shared<gateway::EmbeddingDeployment>(name_, now);
  } else {
    generating_ = std::make_shared<gateway::EngineDeployment>(name_, now);
  }
}

std::shared_ptr<gateway::Deployment> ServedModel::deployment() const {
  if (embeds_) return embedding_;
  return generating_;
}

Result<> ServedModel::load(const engine::EngineOptions& options) {
  NamedModel model = *std::exchange(file_, std::nullopt);
  if (embeds_) {
    embeddings_ = TRY(load_embedding_model(std::move(model), options));
  } else {
    engine_ = TRY(load_model(std::move(model), options));
  }
  return {};
}

void ServedModel::become_ready(const engine::EngineOptions& options) {
  if (embeds_) {
    embedding_->become_ready(*embeddings_);
  } else {
    generating_->become_ready(
        *engine_, static_cast<size_t>(options.max_sequences) + static_cast<size_t>(options.max_waiting));
  }
}

}  // namespace feilun::apps
