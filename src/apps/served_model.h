#pragma once

#include <memory>

#include "apps/model_loading.h"
#include "gateway/embedding_deployment.h"

namespace feilun::apps {

/// A model on its way into service. Its deployment has a public name from the start, and answers once the
/// engine behind it is loaded. Outlives the gateway.
class ServedModel {
 public:
  explicit ServedModel(NamedModel model);

  const std::string& name() const { return name_; }
  bool embeds() const { return embeds_; }
  bool chats() const { return chats_; }
  std::shared_ptr<gateway::Deployment> deployment() const;

  Result<> load(const engine::EngineOptions& options);
  /// After load(): requests may come.
  void become_ready(const engine::EngineOptions& options);

 private:
  std::string name_;
  bool embeds_;
  bool chats_;  ///< it has a chat template
  std::optional<NamedModel> file_;
  std::shared_ptr<gateway::EngineDeployment> generating_;
  std::shared_ptr<gateway::EmbeddingDeployment> embedding_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::EmbeddingEngine> embeddings_;
};

}  // namespace feilun::apps
