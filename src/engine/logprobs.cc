#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace feilun::engine {
namespace {

double finite_or_impossible(float logit) {
  if (std::isnan(logit)) return -std::numeric_limits<double>::infinity();
  return std::min(logit, std::numeric_limits<float>::max());
}

double log_sum_exp(std::span<const float> logits) {
  double best = -std::numeric_limits<double>::infinity();
  for (const float logit : logits) best = std::max(best, finite_or_impossible(logit));
  if (std::isinf(best)) return 0;
  double sum = 0;
  for (const float logit : logits) sum += std::exp(finite_or_impossible(logit) - best);
  return best + std::log(sum);
}

/// The `count` best by insertion into a short list: one pass, and most tokens fail its first comparison.
std::vector<TokenId> best_tokens(std::span<const float> logits, size_t count) {
  std::vector<TokenId> best;
  const auto logit_of = [logits](TokenId id) {
    return finite_or_impossible(logits[static_cast<size_t>(id)]);
  };
  for (TokenId id = 0; id < static_cast<TokenId>(logits.size()); ++id) {
    if (best.size() == count && (count == 0 || !(logit_of(id) > logit_of(best.back())))) continue;
    const auto place = std::ranges::upper_bound(best, logit_of(id), std::greater{}, logit_of);
    best.insert(place, id);
    if (best.size() > count) best.pop_back();
  }
  return best;
}

}  // namespace

GeneratedToken with_logprobs(std::span<const float> logits, TokenId chosen, int top) {
  const double normaliser = log_sum_exp(logits);
  const auto logprob_of = [&](TokenId id) {
    const double logprob = finite_or_impossible(logits[static_cast<size_t>(id)]) - normaliser;
    return std::max(static_cast<float>(logprob), kLogprobMin);
  };
  GeneratedToken token{.id = chosen, .logprob = logprob_of(chosen)};
  for (const TokenId id : best_tokens(logits, static_cast<size_t>(top))) {
    token.top.push_back({.id = id, .logprob = logprob_of(id)});
  }
  return token;
}

}  // namespace feilun::engine
