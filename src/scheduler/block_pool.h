#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace feilun::scheduler {

/// Which KV blocks are free. Blocks are numbers from 0; what lies in them is the backend's. Every block is
/// either free or held exactly once: giving back twice, or what was never taken, is a CHECK.
class BlockPool {
 public:
  explicit BlockPool(int block_count);

  int total() const { return static_cast<int>(held_.size()); }
  int free() const { return static_cast<int>(free_.size()); }
  int used() const { return total() - free(); }

  /// Needs free() > 0. The block given back last is handed out first: it is the likeliest to be in a cache.
  int32_t take();
  void give_back(std::span<const int32_t> blocks);

 private:
  std::vector<int32_t> free_;
  std::vector<bool> held_;
};

}  // namespace feilun::scheduler
