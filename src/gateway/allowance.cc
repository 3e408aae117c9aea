#include "gateway/allowance.h"

#include <algorithm>

namespace feilun::gateway {
namespace {

bool can_rise(const Share& share) {
  return !share.finished && share.allowed < share.ceiling;
}

/// The lowest share that can rise; nullptr when none can. `next` is how far it may rise before it is no
/// longer the lowest.
Share* lowest(std::span<Share> shares, TokenCount& next) {
  Share* low = nullptr;
  for (Share& share : shares) {
    if (can_rise(share) && (low == nullptr || share.allowed < low->allowed)) low = &share;
  }
  if (low == nullptr) return nullptr;
  next = low->ceiling;
  for (const Share& share : shares) {
    if (&share != low && can_rise(share)) next = std::min(next, std::max(share.allowed, low->allowed + 1));
  }
  return low;
}

}  // namespace

TokenCount divide(TokenCount budget, std::span<Share> shares) {
  for (const Share& share : shares) budget -= share.finished ? share.output : share.allowed;
  TokenCount next = 0;
  while (budget > 0) {
    Share* share = lowest(shares, next);
    if (share == nullptr) return budget;
    const TokenCount step = std::min(budget, next - share->allowed);
    share->allowed += step;
    budget -= step;
  }
  return 0;
}

}  // namespace feilun::gateway
