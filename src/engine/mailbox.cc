#include "engine/mailbox.h"

#include <utility>

namespace feilun::engine {

Mailbox::Mailbox(int max_waiting) : max_waiting_(max_waiting) {}

Result<> Mailbox::submit(Generation generation, EventSink sink) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return fail(ErrorCode::kUnavailable, "the engine is stopping");
    if (submits_inside_ + fresh_waiting_ >= max_waiting_) {
      return fail(ErrorCode::kOverloaded, "{} requests are waiting already; try again later",
                  submits_inside_ + fresh_waiting_);
    }
    if (!live_.insert(generation.id).second) {
      return fail(ErrorCode::kConflict, "a generation named {} is running", generation.id);
    }
    ++submits_inside_;
    commands_.emplace_back(SubmitCommand{std::move(generation), std::move(sink)});
  }
  arrived_.notify_one();
  return {};
}

void Mailbox::post(Command command) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    commands_.push_back(std::move(command));
  }
  arrived_.notify_one();
}

void Mailbox::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  arrived_.notify_one();
}

EngineStats Mailbox::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.waiting += submits_inside_;
  return stats;
}

std::vector<Command> Mailbox::collect(Wait wait) {
  std::unique_lock lock(mutex_);
  if (wait == Wait::kForCommands) arrived_.wait(lock, [this] { return closed_ || !commands_.empty(); });
  fresh_waiting_ += std::exchange(submits_inside_, 0);
  return std::exchange(commands_, {});
}

bool Mailbox::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

void Mailbox::publish(const EngineStats& stats, int fresh_waiting, std::span<const std::string> ended) {
  const std::lock_guard lock(mutex_);
  stats_ = stats;
  fresh_waiting_ = fresh_waiting;
  for (const std::string& id : ended) live_.erase(id);
}

}  // namespace feilun::engine
