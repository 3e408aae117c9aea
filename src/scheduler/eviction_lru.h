#pragma once

#include <vector>

#include "scheduler/eviction_policy.h"

namespace feilun::scheduler {

/// Least recently used: the score is the number of the release that let the block go last. A parent is let go
/// with each of its children, so it never scores below one.
class LruEviction final : public EvictionPolicy {
 public:
  explicit LruEviction(int block_count) : released_(static_cast<size_t>(block_count)) {}

  void arrived(const ArrivedBlocks&) override {}
  void used(int32_t, MonoTime) override {}
  bool inserted(int32_t, uint64_t, MonoTime) override { return false; }
  void released(const ReleasedBlocks& sequence, MonoTime) override {
    ++releases_;
    for (const int32_t block : sequence.blocks) released_[static_cast<size_t>(block)] = releases_;
  }
  void evicted(int32_t, uint64_t, MonoTime) override {}

  double score(int32_t block, MonoTime) const override {
    return static_cast<double>(released_[static_cast<size_t>(block)]);
  }
  uint64_t scoring(MonoTime) const override { return 0; }

 private:
  std::vector<uint64_t> released_;
  uint64_t releases_ = 0;
};

}  // namespace feilun::scheduler
