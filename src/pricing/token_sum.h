#pragma once

#include <algorithm>

#include "base/money.h"

namespace feilun::pricing {

/// Sums of tokens stop here, far beyond what anyone can use: five of them and a request more fit in 63 bits.
inline constexpr TokenCount kTokenSumMax = TokenCount{1} << 60;

/// Neither is below zero; `more` is the sum of five such sums at most.
constexpr TokenCount add_tokens(TokenCount sum, TokenCount more) {
  return std::min(sum + more, kTokenSumMax);
}

}  // namespace feilun::pricing
