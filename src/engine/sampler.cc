#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "engine/logprobs.h"
#include "engine/noise.h"

namespace feilun::engine {
namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();

bool penalises_prompt(const Sampling& sampling) {
  return sampling.repetition_penalty != 1.0f;
}
bool penalises_output(const Sampling& sampling) {
  return penalises_prompt(sampling) || sampling.presence_penalty != 0 || sampling.frequency_penalty != 0;
}

float finite_or_impossible(float logit) {
  if (std::isnan(logit)) return kImpossible;
  return std::min(logit, std::numeric_limits<float>::max());
}

float penalised(float logit, const Sampling& sampling, TokenHistory::Count count) {
  if (count.prompt + count.output > 0) {
    logit = logit > 0 ? logit / sampling.repetition_penalty : logit * sampling.repetition_penalty;
  }
  if (count.output > 0) {
    logit -= sampling.presence_penalty + sampling.frequency_penalty * static_cast<float>(count.output);
  }
  return finite_or_impossible(logit);
}

}  // namespace

TokenHistory::TokenHistory(const Generation& generation) : wanted_(penalises_output(generation.sampling)) {
  if (!penalises_prompt(generation.sampling)) return;
  for (const TokenId id : generation.prompt) ++counts_[id].prompt;
}

void TokenHistory::add_output(TokenId id) {
  if (wanted_) ++counts_[id].output;
}

Sampler::Sampler(int vocabulary_size) : logits_(static_cast<size_t>(vocabulary_size)) {
  CHECK(vocabulary_size > 0);
  kept_.reserve(logits_.size());
  ranked_.reserve(logits_.size());
}

Result<GeneratedToken> Sampler::sample(std::span<const float> logits, const Sampling& sampling,
                                       const TokenHistory& history, SamplePoint point) {
  CHECK(logits.size() == logits_.size());
  adjust(logits, sampling, history);
  TokenId chosen = best();
  const float best_logit = logits_[static_cast<size_t>(chosen)];
  if (best_logit == kImpossible) return fail(ErrorCode::kInternal, "the model computed no finite logit");
  if (sampling.temperature > 0) {
    const double uniform =
        noise(sampling.seed, static_cast<uint64_t>(point.choice), static_cast<uint64_t>(point.position));
    chosen = draw(sampling, best_logit, uniform);
  }
  ++sampled_;
  if (sampling.top_logprobs < 0) return GeneratedToken{.id = chosen};
  return with_logprobs(logits, chosen, sampling.top_logprobs);
}

void Sampler::adjust(std::span<const float> logits, const Sampling& sampling, const TokenHistory& history) {
  std::ranges::transform(logits, logits_.begin(), finite_or_impossible);
  for (const auto& [id, bias] : sampling.logit_bias) {
    float& logit = logits_[static_cast<size_t>(id)];
    logit = finite_or_impossible(logit + bias);
  }
  for (const auto& [id, count] : history.counts()) {
    float& logit = logits_[static_cast<size_t>(id)];
    logit = penalised(logit, sampling, count);
  }
}

TokenId Sampler::best() const {
  return static_cast<TokenId>(std::ranges::max_element(logits_) - logits_.begin());
}

TokenId Sampler::draw(const Sampling& sampling, float best_logit, double uniform) {
  const bool all = sampling.top_k == 0 || static_cast<size_t>(sampling.top_k) >= logits_.size();
  all ? keep_all() : keep_top_k(static_cast<size_t>(sampling.top_k));
  weigh(best_logit, sampling.temperature);
  if (sampling.top_p < 1) keep_top_p(sampling.top_p);
  if (sampling.min_p > 0) keep_min_p(sampling.min_p);

  double total = 0;
  for (const Candidate& candidate : kept_) total += candidate.weight;
  double left = uniform * total;
  for (const Candidate& candidate : kept_) {
    left -= candidate.weight;
    if (left < 0) return candidate.id;
  }
  return kept_.back().id;
}

void Sampler::keep_all() {
  kept_.clear();
  for (size_t id = 0; id < logits_.size(); ++id) {
    kept_.push_back({.logit = logits_[id], .id = static_cast<TokenId>(id)});
  }
}

/// A heap of the k best so far, its worst on top: most tokens fail the one comparison with that.
void Sampler::keep_top_k(size_t k) {
  kept_.clear();
  for (size_t id = 0; id < logits_.size(); ++id) {
    const Candidate candidate{.logit = logits_[id], .id = static_cast<TokenId>(id)};
    if (kept_.size() == k) {
      if (!better(candidate, kept_.front())) continue;
      std::ranges::pop_heap(kept_, better);
      kept_.pop_back();
    }
    kept_.push_back(candidate);
    std::ranges::push_heap(kept_, better);
  }
  std::ranges::sort(kept_, {}, &Candidate::id);
}

void Sampler::weigh(float best_logit, double temperature) {
  for (Candidate& candidate : kept_) {
    candidate.weight = std::exp((static_cast<double>(candidate.logit) - best_logit) / temperature);
  }
  std::erase_if(kept_, [](const Candidate& candidate) { return candidate.weight == 0; });
}

/// Keeps the fewest best candidates that hold a share p of the weight.
void Sampler::keep_top_p(double p) {
  double wanted = 0;
  for (const Candidate& candidate : kept_) wanted += candidate.weight;
  wanted *= p;
  rank_heaviest(wanted);

  // Halves the candidates by rank: when the better half already holds enough, the answer ends in it,
  // otherwise the half belongs to the answer and the search goes on in the rest. Each round looks at half as
  // many.
  auto first = ranked_.begin();
  auto last = ranked_.end();
  while (last - first > 1) {
    const auto middle = first + (last - first) / 2;
    std::nth_element(first, middle, last, better);
    double mass = 0;
    for (auto candidate = first; candidate != middle; ++candidate) mass += candidate->weight;
    if (mass >= wanted) {
      last = middle;
    } else {
      wanted -= mass;
      first = middle;
    }
  }
  // Erasing keeps the order of ids, in which the draw walks.
  std::erase_if(kept_, [worst = *first](const Candidate& candidate) { return better(worst, candidate); });
}

/// Mostly few tokens hold nearly all the weight: looks for them above falling thresholds.
void Sampler::rank_heaviest(double wanted) {
  for (const double threshold : {1e-2, 1e-4, 1e-8, 0.0}) {
    ranked_.clear();
    double mass = 0;
    for (const Candidate& candidate : kept_) {
      if (candidate.weight < threshold) continue;
      ranked_.push_back(candidate);
      mass += candidate.weight;
    }
    if (mass >= wanted) return;
  }
}

void Sampler::keep_min_p(double p) {
  std::erase_if(kept_, [p](const Candidate& candidate) { return candidate.weight < p; });
}

Result<> check_sampling(const Sampling& sampling, int vocabulary_size) {
  const auto outside = [](float value, float low, float high) { return !(value >= low && value <= high); };
  constexpr float kLargest = std::numeric_limits<float>::max();
  const auto refuse = [](const char* field, std::string rule) -> std::unexpected<Error> {
    return std::unexpected(
        Error{ErrorCode::kInvalidArgument, fmt::format("{} must be {}", field, rule), field});
  };
  if (outside(sampling.temperature, 0, kLargest)) return refuse("temperature", "a number of at least 0");
  if (sampling.top_k < 0) return refuse("top_k", "at least 0");
  if (outside(sampling.top_p, 0, 1)) return refuse("top_p", "between 0 and 1");
  if (outside(sampling.min_p, 0, 1)) return refuse("min_p", "between 0 and 1");
  if (outside(sampling.presence_penalty, -kLargest, kLargest)) return refuse("presence_penalty", "a number");
  if (outside(sampling.frequency_penalty, -kLargest, kLargest))
    return refuse("frequency_penalty", "a number");
  if (outside(sampling.repetition_penalty, std::numeric_limits<float>::min(), kLargest)) {
    return refuse("repetition_penalty", "a number above 0");
  }
  if (sampling.top_logprobs < -1 || sampling.top_logprobs > kTopLogprobsMax) {
    return refuse("top_logprobs", fmt::format("between 0 and {}", kTopLogprobsMax));
  }
  for (const auto& [id, bias] : sampling.logit_bias) {
    if (id < 0 || id >= vocabulary_size) return refuse("logit_bias", "given for tokens of the vocabulary");
    if (outside(bias, -kLargest, kLargest)) return refuse("logit_bias", "a number for each token");
  }
  return {};
}

}  // namespace feilun::engine
