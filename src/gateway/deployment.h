#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/embedding_engine.h"
#include "engine/engine.h"

namespace feilun::gateway {

/// Who answers for a public model name: the embedded engine, or an upstream that speaks the same terms
/// (tokens counted by whoever runs the model, an allowance that bounds them). All methods may be called from
/// any thread.
class Deployment {
 public:
  virtual ~Deployment() = default;

  virtual std::string_view name() const = 0;
  /// False while the model is being loaded: nothing below may be called then.
  virtual bool ready() const = 0;
  virtual WallTime created() const = 0;
  /// True when the model gives vectors: then embeddings() answers, and nothing here generates.
  virtual bool embeds() const { return false; }
  virtual engine::EmbeddingEngine& embeddings() const;

  // The engine's own contract, see engine/engine.h.
  virtual Result<> submit(engine::Generation generation, engine::EventSink sink) = 0;
  virtual void allow(std::string_view id, TokenCount total, bool final) = 0;
  virtual void cancel(std::string_view id) = 0;
  virtual Result<std::vector<engine::TokenId>> encode_chat(const engine::ChatInput& input) const = 0;
  virtual std::vector<engine::TokenId> encode_text(std::string_view text) const = 0;
  virtual std::string_view token_bytes(engine::TokenId id) const = 0;

  virtual TokenCount context() const = 0;
  virtual int vocabulary() const = 0;
  virtual bool has_chat_template() const = 0;
  virtual model::SamplingDefaults sampling_defaults() const = 0;
  /// Changes when an answer to the same request and seed may change: "fp_" and 10 hexadecimal digits.
  virtual std::string fingerprint() const = 0;
  virtual engine::EngineStats stats() const = 0;
  /// Sequences that run and wait at most: a request of more can never be taken.
  virtual size_t sequences_at_most() const { return SIZE_MAX; }
};

/// "fp_…" of what a model's files say.
std::string fingerprint_of(const model::ModelFile& file);

/// A model run by an engine in this process.
class EngineDeployment final : public Deployment {
 public:
  EngineDeployment(std::string name, WallTime created) : name_(std::move(name)), created_(created) {}

  /// The engine is loaded: requests may come. It must outlive every request. `sequences_at_most`: its
  /// max_sequences + max_waiting.
  void become_ready(engine::Engine& engine, size_t sequences_at_most = SIZE_MAX) {
    sequences_at_most_ = sequences_at_most;
    engine_.store(&engine, std::memory_order_release);
  }

  std::string_view name() const override { return name_; }
  bool ready() const override { return engine_.load(std::memory_order_acquire) != nullptr; }
  WallTime created() const override { return created_; }
  Result<> submit(engine::Generation generation, engine::EventSink sink) override {
    return engine().submit(std::move(generation), std::move(sink));
  }
  void allow(std::string_view id, TokenCount total, bool final) override { engine().allow(id, total, final); }
  void cancel(std::string_view id) override { engine().cancel(id); }
  Result<std::vector<engine::TokenId>> encode_chat(const engine::ChatInput& input) const override {
    return engine().encode_chat(input);
  }
  std::vector<engine::TokenId> encode_text(std::string_view text) const override {
    return engine().encode_text(text);
  }
  std::string_view token_bytes(engine::TokenId id) const override { return engine().token_bytes(id); }
  TokenCount context() const override { return engine().context(); }
  int vocabulary() const override { return engine().file().shape.vocabulary; }
  bool has_chat_template() const override { return engine().file().chat_template != nullptr; }
  model::SamplingDefaults sampling_defaults() const override { return engine().file().sampling; }
  std::string fingerprint() const override { return fingerprint_of(engine().file()); }
  engine::EngineStats stats() const override { return engine().stats(); }
  size_t sequences_at_most() const override { return sequences_at_most_; }

 private:
  engine::Engine& engine() const;
  std::string name_;
  WallTime created_;
  std::atomic<size_t> sequences_at_most_{SIZE_MAX};
  std::atomic<engine::Engine*> engine_{nullptr};
};

/// The public names and who answers for them. Filled before serving, then only read.
class Deployments {
 public:
  void add(std::shared_ptr<Deployment> deployment);
  /// nullptr when nobody has that name.
  Deployment* find(std::string_view name) const;
  bool all_ready() const;
  const std::map<std::string, std::shared_ptr<Deployment>, std::less<>>& all() const { return by_name_; }

 private:
  std::map<std::string, std::shared_ptr<Deployment>, std::less<>> by_name_;
};

}  // namespace feilun::gateway
