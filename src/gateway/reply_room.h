#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "base/result.h"

namespace feilun::gateway {

/// Bounds the bytes of large replies that are being made or sent, of all connections together: a client that
/// reads slowly keeps its own in memory for as long as it likes. Any thread may call; it outlives its leases.
class ReplyRoom {
 public:
  /// Gives its bytes back when the last copy is gone.
  using Lease = std::shared_ptr<void>;

  explicit ReplyRoom(size_t most) : most_(most) {}
  /// kOverloaded when others leave too little. A reply that is alone always has room.
  Result<Lease> take(size_t bytes);

 private:
  const size_t most_;
  std::atomic<size_t> taken_ = 0;
};

}  // namespace feilun::gateway
