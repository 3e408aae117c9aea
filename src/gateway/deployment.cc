#include "gateway/deployment.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace feilun::gateway {
namespace {

/// FNV-1a, 64 bits.
uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

engine::EmbeddingEngine& Deployment::embeddings() const {
  CHECK(embeds());
  std::unreachable();
}

engine::Engine& EngineDeployment::engine() const {
  engine::Engine* engine = engine_.load(std::memory_order_acquire);
  CHECK(engine != nullptr);
  return *engine;
}

std::string fingerprint_of(const model::ModelFile& file) {
  const std::string identity =
      fmt::format("{}|{}|{}|{}|{}|{}|{}", file.name, file.format, file.shape.architecture, file.shape.layers,
                  file.shape.hidden, file.shape.vocabulary, file.chat_template_source);
  return fmt::format("fp_{:010x}", hash_of(identity) & 0xffffffffff);
}

void Deployments::add(std::shared_ptr<Deployment> deployment) {
  std::string name(deployment->name());
  by_name_.insert_or_assign(std::move(name), std::move(deployment));
}

Deployment* Deployments::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second.get();
}

bool Deployments::all_ready() const {
  return std::ranges::all_of(by_name_, [](const auto& entry) { return entry.second->ready(); });
}

}  // namespace feilun::gateway
