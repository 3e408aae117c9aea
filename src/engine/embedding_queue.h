#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/embedding_engine.h"

namespace feilun::engine {

/// A job on its way through the engine.
struct LiveJob {
  EmbeddingJob job;
  EmbeddingSink sink;
  TokenCount tokens = 0;     ///< of all inputs
  int64_t result_bytes = 0;  ///< of all their vectors
  size_t next = 0;           ///< the first input that no pass has taken
  EmbeddingResult result;
  bool cancelled = false;  ///< guarded by the queue

  bool taken_whole() const { return next == job.inputs.size(); }
};

/// How much may be live at once. One job alone may pass the latter two.
struct EmbeddingBounds {
  int jobs;
  TokenCount tokens;     ///< of all inputs
  int64_t result_bytes;  ///< of all vectors, computed or not: a job keeps its own until it is whole
};

/// Where other threads meet the embedding engine's. The lock is held for a few moves at a time and never
/// while a sink runs, so a sink may submit and cancel.
class EmbeddingQueue {
 public:
  /// `vector_bytes`: of one input's result.
  EmbeddingQueue(EmbeddingBounds most, int64_t vector_bytes) : most_(most), vector_bytes_(vector_bytes) {}

  // From any thread.
  /// kOverloaded, kConflict for an id that is live, kUnavailable after close().
  Result<> submit(EmbeddingJob job, EmbeddingSink sink);
  void cancel(std::string_view id);
  void close();
  EngineStats stats() const;

  // From the engine's thread.
  /// Moves the jobs that have arrived behind `jobs`, and takes those that were cancelled out of it. When
  /// `jobs` is empty, sleeps until there is one. False once the queue is closed: all jobs are given out as
  /// cancelled then.
  bool refresh(std::deque<std::unique_ptr<LiveJob>>& jobs, std::vector<std::unique_ptr<LiveJob>>& cancelled);
  /// Jobs that have ended: their ids may be used again. Called before their sinks. `idle_since`: there has
  /// been nothing to do since then.
  void forget(const std::vector<std::unique_ptr<LiveJob>>& ended, const EngineStats& stats,
              std::optional<MonoTime> idle_since = {});
  /// False once all of these jobs are cancelled, or the queue is closed.
  bool wants_any(std::span<LiveJob* const> jobs) const;

 private:
  const EmbeddingBounds most_;
  const int64_t vector_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::unique_ptr<LiveJob>> inbox_;
  std::unordered_map<std::string_view, LiveJob*> live_;  ///< by the job's own id
  TokenCount tokens_ = 0;                                ///< of all live jobs
  int64_t result_bytes_ = 0;                             ///< of all live jobs
  bool some_cancelled_ = false;
  bool closed_ = false;
  EngineStats stats_;
  std::optional<MonoTime> idle_since_;
};

}  // namespace feilun::engine
