#include "scheduler/policy_duel.h"

#include <algorithm>

namespace feilun::scheduler {
namespace {

// Shares of the traffic in the window.
constexpr double kFall = 0.001;
constexpr double kReturn = 0.0009;
constexpr double kMostLead = 0.02;
// Shares, or multiples, of the cache.
constexpr double kStake = 0.08;
constexpr double kWindow = 100;

}  // namespace

void PolicyDuel::arrived(const ArrivedBlocks& sequence) {
  lru_.shrink(static_cast<size_t>(sequence.room));
  const int in_lru = lru_.find(sequence.chain);
  for (int place = in_lru; place-- > 0;) lru_.touch(sequence.chain[static_cast<size_t>(place)]);

  traffic_ += static_cast<double>(sequence.chain.size());
  lead_ = std::min(lead_ + sequence.found - in_lru, kMostLead * traffic_);
  const double window = kWindow * sequence.room;
  if (traffic_ > window) {
    lead_ *= window / traffic_;
    traffic_ = window;
  }
  lru_turn_ = lead_ < -(lru_turn_ ? kReturn : kFall) * traffic_ - kStake * sequence.room;
}

}  // namespace feilun::scheduler
