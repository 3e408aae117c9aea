#include "engine/attribution.h"

#include <cstdint>

namespace feilun::engine {

StepShares share_step(std::chrono::nanoseconds measured, std::span<const StepLoad> loads) {
  const auto count = static_cast<int64_t>(loads.size());
  const auto weight_of = [count](const StepLoad& load) { return kFixedTokens + count * load.useful_tokens; };
  __int128 total = 0;
  for (const StepLoad& load : loads) total += weight_of(load) + count * load.wasted_tokens;

  // Cutting the running sum, not each share, leaves no remainder: the last cut is the measured time itself.
  StepShares shares;
  __int128 reached = 0;
  int64_t given = 0;
  for (const StepLoad& load : loads) {
    reached += weight_of(load);
    const auto upto = static_cast<int64_t>(measured.count() * reached / total);
    shares.useful.emplace_back(upto - given);
    given = upto;
  }
  shares.wasted = std::chrono::nanoseconds(measured.count() - given);
  return shares;
}

}  // namespace feilun::engine
