#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace feilun::engine {

/// What one generation brought, put together from its events. For tests.
struct GenerationLog {
  std::string text;
  std::vector<GeneratedToken> tokens;
  EngineUsage usage;
  FinishReason finish = FinishReason::kFailed;
  std::string stop_string;
  Error error;
  int events = 0;
  int endings = 0;    ///< events that carried `finish`
  int after_end = 0;  ///< events that came later

  void add(GenerationEvent event) {
    if (endings > 0) ++after_end;
    ++events;
    text += event.text;
    tokens.insert(tokens.end(), event.tokens.begin(), event.tokens.end());
    usage = event.usage;
    if (!event.finish) return;
    ++endings;
    finish = *event.finish;
    stop_string = std::move(event.stop_string);
    error = std::move(event.error);
  }
};

/// Collects the events of many generations and waits for their ends.
class GenerationLogs {
 public:
  EventSink sink(const std::string& id) {
    const std::lock_guard lock(mutex_);
    ++open_;
    return [this, id](GenerationEvent event) { add(id, std::move(event)); };
  }
  /// Forgets one that submit() refused.
  void refused() {
    const std::lock_guard lock(mutex_);
    --open_;
  }
  void wait_for_all() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_ == 0; });
  }
  void wait_for_tokens(const std::string& id, size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return logs_[id].tokens.size() >= count; });
  }
  GenerationLog of(const std::string& id) {
    const std::lock_guard lock(mutex_);
    return logs_[id];
  }
  std::map<std::string, GenerationLog> all() {
    const std::lock_guard lock(mutex_);
    return logs_;
  }

 private:
  void add(const std::string& id, GenerationEvent event) {
    const std::lock_guard lock(mutex_);
    GenerationLog& log = logs_[id];
    const int before = log.endings;
    log.add(std::move(event));
    if (before == 0 && log.endings == 1) --open_;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, GenerationLog> logs_;
  int open_ = 0;
};

inline std::vector<TokenId> ids_of(const GenerationLog& log) {
  std::vector<TokenId> ids;
  for (const GeneratedToken& token : log.tokens) ids.push_back(token.id);
  return ids;
}

/// Submits and waits for the end.
inline GenerationLog generate(Engine& engine, Generation generation) {
  GenerationLogs logs;
  const std::string id = generation.id;
  const Result<> accepted = engine.submit(std::move(generation), logs.sink(id));
  if (!accepted) return {.error = accepted.error()};
  logs.wait_for_all();
  return logs.of(id);
}

}  // namespace feilun::engine
