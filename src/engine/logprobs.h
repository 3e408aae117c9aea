#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "engine/engine.h"

namespace feilun::engine {

inline constexpr int kTopLogprobsMax = 20;
/// What an impossible token is reported with: JSON has no −∞.
inline constexpr float kLogprobMin = -9999.0f;

/// A logit as choices see it: what is no number cannot be chosen, and nothing is larger than a float.
inline float finite_or_impossible(float logit) {
  if (std::isnan(logit)) return -std::numeric_limits<float>::infinity();
  return std::min(logit, std::numeric_limits<float>::max());
}

/// log_softmax of the raw logits at `chosen`, and the `top` best tokens, best first, of equals the lower id.
/// The same logits give the same bits. Tokens that are impossible are not among the best.
GeneratedToken with_logprobs(std::span<const float> logits, TokenId chosen, int top);

}  // namespace feilun::engine
