#pragma once

#include <cstdint>

#include "scheduler/eviction_policy.h"
#include "scheduler/shadow_lru.h"

namespace feilun::scheduler {

/// Watches a policy against LRU on the same sequences, of which a shadow knows what it would have found, and
/// says when the policy should act as LRU does.
///
/// The lead is the number of blocks that the policy found more than LRU, over a window of recent traffic. The
/// policy may lose a stake, a share of the cache: it takes up to a turnover of the cache until a policy shows
/// what it is worth. And it may lose a thousandth of the traffic. When the lead falls below both
/// together, it is LRU's turn; the lead then stays about where it is while the traffic grows, and the policy
/// gets another chance when the lead has become a small enough share of it. What it has won before buys it a
/// short losing streak only.
class PolicyDuel {
 public:
  void arrived(const ArrivedBlocks& sequence);
  void touch(uint64_t hash) { lru_.touch(hash); }
  bool lru_turn() const { return lru_turn_; }

 private:
  ShadowLru lru_;
  double lead_ = 0;     ///< blocks
  double traffic_ = 0;  ///< blocks
  bool lru_turn_ = false;
};

}  // namespace feilun::scheduler
