#pragma once

#include <memory>
#include <string>

#include "apps/settings.h"
#include "engine/embedding_engine.h"
#include "engine/engine.h"

namespace feilun::apps {

/// A model of the settings, opened but not loaded: mistakes in its files are found before anything is
/// promised.
struct NamedModel {
  std::string name;
  model::ModelFile file;
};

/// Opens what --model names; the built-in model when nothing is named.
Result<std::vector<NamedModel>> open_models(const Settings& settings);

/// Loads one that generates, telling how long it took.
Result<std::unique_ptr<engine::Engine>> load_model(NamedModel model, const engine::EngineOptions& options);
/// The same for one that gives vectors.
Result<std::unique_ptr<engine::EmbeddingEngine>> load_embedding_model(NamedModel model,
                                                                      const engine::EngineOptions& options);

}  // namespace feilun::apps
