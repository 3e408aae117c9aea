#pragma once

#include <cstdint>
#include <span>

#include "base/clock.h"

namespace feilun::scheduler {

enum class CachePolicy {
  kOff,      ///< nothing is shared or kept
  kLru,      ///< the leaf that was used longest ago goes first
  kGittins,  ///< the leaf with the least prospect of reuse per second goes first
};

/// How a sequence came to let go of its blocks: what follows differs.
enum class FinishClass : uint8_t {
  kOther,      ///< it was cut short: by its length, by money, by its client
  kEnd,        ///< its answer came to its end, so another turn may follow
  kPreempted,  ///< it will be back
};
inline constexpr int kFinishClasses = 3;

/// What a policy learns of a sequence that looks for its beginning in the cache.
struct ArrivedBlocks {
  std::span<const uint64_t> chain;  ///< hashes of the blocks that could have been found, from the root on
  int found = 0;
  int room = 0;  ///< blocks that are free or in the tree: what another policy would have had to work with
};

/// What a policy learns of a sequence that lets go of its blocks.
struct ReleasedBlocks {
  std::span<const int32_t> blocks;  ///< from the root on
  int unseen = 0;                   ///< of these, the ones for which inserted() said false
  FinishClass finish = FinishClass::kOther;
};

/// Which cached leaf goes first. The cache tells a policy what happens to blocks; a policy gives them scores.
class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;

  virtual void arrived(const ArrivedBlocks& sequence) = 0;
  /// A sequence begins to hold a resident block.
  virtual void used(int32_t block, MonoTime now) = 0;
  /// A block enters the tree, held by its sequence. Returns whether the policy remembers an earlier block of
  /// the same hash.
  virtual bool inserted(int32_t block, uint64_t hash, MonoTime now) = 0;
  /// A sequence lets go of its published blocks. Other sequences may still hold some of them.
  virtual void released(const ReleasedBlocks& sequence, MonoTime now) = 0;
  virtual void evicted(int32_t block, uint64_t hash, MonoTime now) = 0;

  /// The lowest goes first; of equals, the one farthest from the root. Asked only for blocks that were
  /// released.
  virtual double score(int32_t block, MonoTime now) const = 0;
  /// While this number stays the same, so do the scores of blocks that nobody used since.
  virtual uint64_t scoring(MonoTime now) const = 0;
};

}  // namespace feilun::scheduler
