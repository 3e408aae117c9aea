#pragma once

#include <chrono>
#include <span>
#include <vector>

namespace feilun::engine {

/// What one sequence put into a step.
struct StepLoad {
  int useful_tokens = 0;
  int wasted_tokens = 0;  ///< computed again after a preemption
};

struct StepShares {
  std::vector<std::chrono::nanoseconds> useful;  ///< one for each load, in order
  std::chrono::nanoseconds wasted{0};
};

/// Splits a step's measured time among those who caused it; the shares sum to it to the nanosecond.
///
/// A step costs a part that is there for anybody's sake (reading the weights), as much as computing
/// kFixedTokens tokens, and a part for each token. The closed Shapley value of such a cost: the fixed part in
/// equal shares, the rest by tokens. Redone tokens go to the waste, not to the sequence that was preempted.
StepShares share_step(std::chrono::nanoseconds measured, std::span<const StepLoad> loads);

inline constexpr int kFixedTokens = 16;

}  // namespace feilun::engine
