#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace feilun::gateway {

/// The idempotency keys whose requests this process is answering: between the moment that a request is
/// charged and the one that its reply is kept, the ledger alone would say that there is no reply. Any thread;
/// it outlives what it hands out.
class RunningClaims {
 public:
  /// Ends when it goes; empty when the claim runs already.
  using Running = std::shared_ptr<void>;

  Running begin(std::string claim) {
    const std::lock_guard lock(mutex_);
    const auto [place, made] = claims_.insert(std::move(claim));
    if (!made) return nullptr;
    return Running(this, [this, which = *place](void*) {
      const std::lock_guard ending(mutex_);
      claims_.erase(which);
    });
  }

 private:
  std::mutex mutex_;
  std::set<std::string> claims_;
};

}  // namespace feilun::gateway
