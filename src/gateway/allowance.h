#pragma once

#include <span>

#include "base/money.h"

namespace feilun::gateway {

/// One sequence's part of a request's output tokens.
struct Share {
  TokenCount allowed = 0;  ///< how far it may run; never falls
  TokenCount ceiling = 0;  ///< it has no use for more than this just now
  TokenCount output = 0;   ///< tokens it has produced
  bool finished = false;   ///< what it did not produce is free for the others
};

/// Raises the shares as evenly as they can use it, so that the sum of what finished sequences produced and
/// running ones are allowed stays at most `budget`. The lowest share is raised first, the first of equals
/// first. Returns what is left of the budget (0: it is used up, or was before).
TokenCount divide(TokenCount budget, std::span<Share> shares);

}  // namespace feilun::gateway
