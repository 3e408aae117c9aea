#include "engine/attribution.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace feilun::engine {

using scheduler::StepWork;

StepShares share_step(std::chrono::nanoseconds measured, std::span<const StepLoad> loads,
                      const scheduler::StepCost& cost) {
  StepWork all;
  for (const StepLoad& load : loads) all += load.useful + load.wasted;
  const scheduler::StepCost::Line line = cost.line_at(all.rows);
  const double seat = line.fixed / static_cast<double>(std::max<size_t>(1, loads.size()));

  std::vector<double> claims;
  double total = 0;
  for (const StepLoad& load : loads) {
    const double rows = load.useful.rows + load.wasted.rows;
    const double useful_part = rows > 0 ? load.useful.rows / rows : 1;
    claims.push_back(seat * useful_part + line.of(load.useful));
    total += seat + line.of(load.useful) + line.of(load.wasted);
  }

  // Cutting the running sum, not each share, leaves no remainder: the waste takes what is left of the
  // measured time, and nothing is left where there was none.
  StepShares shares;
  const auto time = static_cast<long double>(measured.count());
  const bool wasteful = std::ranges::any_of(loads, [](const StepLoad& load) { return load.wasted.rows > 0; });
  double reached = 0;
  int64_t given = 0;
  for (size_t i = 0; i < loads.size(); ++i) {
    reached += claims[i];
    // A model that claims nothing at all shares equally.
    const long double part = total > 0 ? static_cast<long double>(reached) / total
                                       : static_cast<long double>(i + 1) / loads.size();
    int64_t upto = std::clamp(static_cast<int64_t>(time * part), given, measured.count());
    if (!wasteful && i + 1 == loads.size()) upto = measured.count();
    shares.useful.emplace_back(upto - given);
    given = upto;
  }
  shares.wasted = std::chrono::nanoseconds(measured.count() - given);
  return shares;
}

}  // namespace feilun::engine
