#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "scheduler/step_cost.h"

namespace feilun::scheduler {

/// A sequence's name, given by whoever submits it; unique among live sequences.
using SequenceId = uint64_t;

/// What one sequence does in one forward pass: a chunk of tokens whose K/V are not computed yet, or the one
/// token that was sampled last.
struct PlannedSlice {
  SequenceId id = 0;
  int64_t from = 0;    ///< position of the slice's first token in its sequence
  int count = 0;       ///< tokens, at least one
  int recomputed = 0;  ///< of these, how many were computed before and lost to a preemption: waste
  int cached = 0;  ///< prompt tokens before `from` that were found in the prefix cache since its last slice
  bool decode = false;   ///< the one token sampled last; otherwise a chunk
  bool samples = false;  ///< the slice ends at the sequence's newest token, so its logits give the next one
  /// Tokens that may come after its own, to be checked in the same pass; valid until step_done().
  std::span<const int32_t> guess;
  std::span<const int32_t> blocks;  ///< block table up to the last of these tokens; valid until step_done()

  StepWork work() const {
    if (!decode) return StepWork::chunk(from, count, samples);
    return StepWork::decode(from + 1) + StepWork::guesses(static_cast<int64_t>(guess.size()));
  }
};

/// One forward pass.
struct StepPlan {
  std::vector<PlannedSlice> slices;
  std::vector<SequenceId> preempted;  ///< lost their blocks while this plan was made
};

}  // namespace feilun::scheduler
