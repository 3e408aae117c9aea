#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compute/number_blocks.h"

namespace feilun::engine {

GeneratedToken with_logprobs(std::span<const float> logits, TokenId chosen, int top) {
  compute::NumberBlocks blocks(compute::machine_kernels());
  blocks.read(logits);
  std::vector<float> copy;
  if (blocks.largest() > std::numeric_limits<float>::max()) {
    copy.resize(logits.size());
    std::ranges::transform(logits, copy.begin(), finite_or_impossible);
    logits = copy;
    blocks.read(logits);
  }
  const bool possible = blocks.largest_at() >= 0;
  const double normaliser = possible ? blocks.largest() + std::log(blocks.weigh(1.0f)) : 0;
  const auto logprob_of = [&](TokenId id) {
    const float logprob = static_cast<float>(logits[static_cast<size_t>(id)] - normaliser);
    return logprob > kLogprobMin ? logprob : kLogprobMin;
  };
  GeneratedToken token{.id = chosen, .logprob = logprob_of(chosen)};
  for (const int64_t place : blocks.best(top)) {
    const auto id = static_cast<TokenId>(place);
    token.top.push_back({.id = id, .logprob = logprob_of(id)});
  }
  std::ranges::sort(token.top, [&](const TokenLogprob& a, const TokenLogprob& b) {
    const float at_a = logits[static_cast<size_t>(a.id)];
    const float at_b = logits[static_cast<size_t>(b.id)];
    return at_a != at_b ? at_a > at_b : a.id < b.id;
  });
  return token;
}

}  // namespace feilun::engine
