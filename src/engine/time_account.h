#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"

namespace feilun::engine {

/// Cuts the time since it began into idle stretches and steps without a gap, so that their sum is the time.
/// What happens between two steps while there is work (taking commands in, telling results) belongs to the
/// second.
class TimeAccount {
 public:
  explicit TimeAccount(MonoTime now) : began_(now), until_(now), idle_since_(now) {}

  /// There is nothing to do from the end of the last step on.
  void rest() {
    if (!idle_since_) idle_since_ = until_;
  }
  /// Work begins; ends an idle stretch.
  void work(MonoTime now) {
    if (!idle_since_) return;
    idle_ += now - until_;
    until_ = now;
    idle_since_.reset();
  }
  /// A step ends; what it took.
  std::chrono::nanoseconds step(MonoTime now) {
    const std::chrono::nanoseconds taken = now - until_;
    until_ = now;
    return taken;
  }

  /// Of stretches that have ended.
  std::chrono::nanoseconds idle() const { return idle_; }
  std::optional<MonoTime> idle_since() const { return idle_since_; }
  /// All steps and all idle stretches that have ended.
  std::chrono::nanoseconds told() const { return until_ - began_; }

 private:
  const MonoTime began_;
  MonoTime until_;
  std::optional<MonoTime> idle_since_;
  std::chrono::nanoseconds idle_{0};
};

}  // namespace feilun::engine
