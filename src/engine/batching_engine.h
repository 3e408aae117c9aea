#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "engine/backend.h"
#include "engine/engine.h"
#include "engine/mailbox.h"
#include "engine/step_loop.h"

namespace feilun::engine {

/// The Engine: checks what comes in, and runs a StepLoop on a thread of its own.
class BatchingEngine final : public Engine {
 public:
  BatchingEngine(model::ModelFile file, std::unique_ptr<Backend> backend, EngineOptions options);
  ~BatchingEngine() override;

  Result<> submit(Generation generation, EventSink sink) override;
  void allow(std::string_view id, TokenCount total, bool final) override;
  void cancel(std::string_view id) override;
  Result<std::vector<TokenId>> encode_chat(const ChatInput& input) const override;
  std::vector<TokenId> encode_text(std::string_view text) const override;
  std::string_view token_bytes(TokenId id) const override;
  const model::ModelFile& file() const override { return file_; }
  int64_t context() const override { return context_; }
  EngineStats stats() const override { return mailbox_.stats(); }

 private:
  void run();
  Result<> check(const Generation& generation) const;

  const model::ModelFile file_;
  const EngineOptions options_;
  const std::unique_ptr<Backend> backend_;
  const int64_t context_;
  Mailbox mailbox_;
  StepLoop loop_;
  std::thread thread_;
};

}  // namespace feilun::engine
