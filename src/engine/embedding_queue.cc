#include "engine/embedding_queue.h"

#include <algorithm>
#include <utility>

namespace feilun::engine {

Result<> EmbeddingQueue::submit(EmbeddingJob job, EmbeddingSink sink) {
  auto live = std::make_unique<LiveJob>();
  live->job = std::move(job);
  live->sink = std::move(sink);
  for (const auto& input : live->job.inputs) live->tokens += static_cast<TokenCount>(input.size());
  live->result_bytes = static_cast<int64_t>(live->job.inputs.size()) * vector_bytes_;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return fail(ErrorCode::kUnavailable, "the engine is stopping");
    const bool too_much =
        tokens_ + live->tokens > most_.tokens || result_bytes_ + live->result_bytes > most_.result_bytes;
    if (live_.size() >= static_cast<size_t>(most_.jobs) || (too_much && !live_.empty())) {
      return fail(ErrorCode::kOverloaded, "{} requests of {} tokens are waiting already; try again later",
                  live_.size(), tokens_);
    }
    if (!live_.emplace(live->job.id, live.get()).second) {
      return fail(ErrorCode::kConflict, "a job named {} is running", live->job.id);
    }
    tokens_ += live->tokens;
    result_bytes_ += live->result_bytes;
    inbox_.push_back(std::move(live));
  }
  arrived_.notify_one();
  return {};
}

void EmbeddingQueue::cancel(std::string_view id) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = live_.find(id);
    if (found == live_.end()) return;
    found->second->cancelled = some_cancelled_ = true;
  }
  arrived_.notify_one();
}

void EmbeddingQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  arrived_.notify_one();
}

EngineStats EmbeddingQueue::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.waiting = static_cast<int>(live_.size()) - stats.running;
  if (idle_since_) stats.rest_until_now(*idle_since_);
  return stats;
}

bool EmbeddingQueue::refresh(std::deque<std::unique_ptr<LiveJob>>& jobs,
                             std::vector<std::unique_ptr<LiveJob>>& cancelled) {
  std::unique_lock lock(mutex_);
  if (jobs.empty()) arrived_.wait(lock, [this] { return closed_ || !inbox_.empty(); });
  std::ranges::move(std::exchange(inbox_, {}), std::back_inserter(jobs));
  if (!closed_ && !std::exchange(some_cancelled_, false)) return true;
  const bool all = closed_;
  for (auto& job : jobs) {
    if (all || job->cancelled) cancelled.push_back(std::move(job));
  }
  std::erase(jobs, nullptr);
  return !all;
}

void EmbeddingQueue::forget(const std::vector<std::unique_ptr<LiveJob>>& ended, const EngineStats& stats,
                            std::optional<MonoTime> idle_since) {
  const std::lock_guard lock(mutex_);
  stats_ = stats;
  idle_since_ = idle_since;
  for (const auto& job : ended) {
    live_.erase(job->job.id);
    tokens_ -= job->tokens;
    result_bytes_ -= job->result_bytes;
  }
}

bool EmbeddingQueue::wants_any(std::span<LiveJob* const> jobs) const {
  const std::lock_guard lock(mutex_);
  return !closed_ && !std::ranges::all_of(jobs, &LiveJob::cancelled);
}

}  // namespace feilun::engine
