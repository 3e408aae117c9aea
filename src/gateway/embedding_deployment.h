#pragma once

#include <atomic>
#include <string>

#include "engine/embedding_engine.h"
#include "gateway/deployment.h"

namespace feilun::gateway {

/// A model that gives vectors, run by an engine in this process. It has no part in generation: what belongs
/// to that is refused.
class EmbeddingDeployment final : public Deployment {
 public:
  EmbeddingDeployment(std::string name, WallTime created) : name_(std::move(name)), created_(created) {}

  /// The engine is loaded: requests may come. It must outlive every request.
  void become_ready(engine::EmbeddingEngine& engine) { engine_.store(&engine, std::memory_order_release); }

  std::string_view name() const override { return name_; }
  bool ready() const override { return engine_.load(std::memory_order_acquire) != nullptr; }
  WallTime created() const override { return created_; }
  bool embeds() const override { return true; }
  engine::EmbeddingEngine& embeddings() const override;

  Result<> submit(engine::Generation, engine::EventSink) override { return refused(); }
  void allow(std::string_view, TokenCount, bool) override {}
  void cancel(std::string_view) override {}
  Result<std::vector<engine::TokenId>> encode_chat(const engine::ChatInput&) const override {
    return refused();
  }
  std::vector<engine::TokenId> encode_text(std::string_view text) const override {
    return embeddings().encode(text);
  }
  std::string_view token_bytes(engine::TokenId) const override { return {}; }
  TokenCount context() const override { return embeddings().context(); }
  int vocabulary() const override { return embeddings().file().shape.vocabulary; }
  bool has_chat_template() const override { return false; }
  model::SamplingDefaults sampling_defaults() const override { return {}; }
  std::string fingerprint() const override { return fingerprint_of(embeddings().file()); }
  engine::EngineStats stats() const override { return embeddings().stats(); }

 private:
  std::unexpected<Error> refused() const;
  std::string name_;
  WallTime created_;
  std::atomic<engine::EmbeddingEngine*> engine_{nullptr};
};

}  // namespace feilun::gateway
