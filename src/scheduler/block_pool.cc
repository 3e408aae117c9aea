#include "scheduler/block_pool.h"

#include "base/check.h"

namespace feilun::scheduler {

BlockPool::BlockPool(int block_count) {
  CHECK(block_count > 0);
  held_.assign(static_cast<size_t>(block_count), false);
  free_.reserve(held_.size());
  for (int block = block_count - 1; block >= 0; --block) free_.push_back(block);
}

int32_t BlockPool::take() {
  CHECK(!free_.empty());
  const int32_t block = free_.back();
  free_.pop_back();
  held_[static_cast<size_t>(block)] = true;
  return block;
}

void BlockPool::give_back(std::span<const int32_t> blocks) {
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    CHECK(*block >= 0 && *block < total() && held_[static_cast<size_t>(*block)]);
    held_[static_cast<size_t>(*block)] = false;
    free_.push_back(*block);
  }
}

}  // namespace feilun::scheduler
