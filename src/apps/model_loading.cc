#include "apps/model_loading.h"

#include <chrono>

#include "apps/embedded.h"
#include "base/log.h"

namespace feilun::apps {

Result<std::vector<NamedModel>> open_models(const Settings& settings) {
  auto wanted = settings.models;
  if (wanted.empty()) wanted.emplace_back(kBuiltinName, kBuiltinPath);
  std::vector<NamedModel> models;
  for (const auto& [name, path] : wanted) {
    auto file = path == kBuiltinPath ? model::open_model_bytes(builtin_model()) : model::open_model(path);
    if (!file) return fail(file.error().code, "--model {}={}: {}", name, path, file.error().message);
    models.push_back({name, std::move(*file)});
  }
  return models;
}

namespace {

template <typename Kind>
Result<std::unique_ptr<Kind>> load(NamedModel model, const engine::EngineOptions& options) {
  const auto& shape = model.file.shape;
  spdlog::info("loading {} ({}, {}, {} layers, window {})", model.name, model.file.format, shape.architecture,
               shape.layers, shape.context);
  const auto start = std::chrono::steady_clock::now();
  auto engine = Kind::start(std::move(model.file), options);
  if (!engine) return fail(engine.error().code, "--model {}: {}", model.name, engine.error().message);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  spdlog::info("loaded {} in {:.2f} s", model.name, seconds.count());
  return engine;
}

}  // namespace

Result<std::unique_ptr<engine::Engine>> load_model(NamedModel model, const engine::EngineOptions& options) {
  return load<engine::Engine>(std::move(model), options);
}

Result<std::unique_ptr<engine::EmbeddingEngine>> load_embedding_model(NamedModel model,
                                                                      const engine::EngineOptions& options) {
  return load<engine::EmbeddingEngine>(std::move(model), options);
}

}  // namespace feilun::apps
