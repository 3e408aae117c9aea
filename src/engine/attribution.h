#pragma once

#include <chrono>
#include <span>
#include <vector>

#include "scheduler/step_cost.h"

namespace feilun::engine {

/// What one sequence put into a step.
struct StepLoad {
  scheduler::StepWork useful;
  scheduler::StepWork wasted;  ///< computed again after a preemption
};

struct StepShares {
  std::vector<std::chrono::nanoseconds> useful;  ///< one for each load, in order
  std::chrono::nanoseconds wasted{0};
};

/// Splits a step's measured time among those who caused it; the shares sum to it to the nanosecond.
///
/// A step costs a part that is there for anybody's sake (reading the weights), and a part for each one's own
/// work: on either side of StepCost's hinge a sum of a constant and of terms that add up. The Shapley value
/// of such a cost is closed: the constant in equal shares, and each one's own terms. What the model gets
/// wrong about a step stretches all shares alike. Redone work is nobody's: it goes to the waste, with the
/// part of its sequence's equal share that its rows are of the sequence's rows.
StepShares share_step(std::chrono::nanoseconds measured, std::span<const StepLoad> loads,
                      const scheduler::StepCost& cost);

}  // namespace feilun::engine
