#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "engine/logprobs.h"
#include "engine/noise.h"

namespace feilun::engine {
namespace {

bool penalises_prompt(const Sampling& sampling) {
  return sampling.repetition_penalty != 1.0f;
}
bool penalises_output(const Sampling& sampling) {
  return penalises_prompt(sampling) || sampling.presence_penalty != 0 || sampling.frequency_penalty != 0;
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

/// What NumberBlocks multiplies by: finite however small the temperature.
float scale_of(double temperature) {
  return static_cast<float>(std::min<double>(1 / temperature, std::numeric_limits<float>::max()));
}

}  // namespace

TokenHistory::TokenHistory(const Generation& generation) : wanted_(penalises_output(generation.sampling)) {
  if (!penalises_prompt(generation.sampling)) return;
  for (const TokenId id : generation.prompt) ++counts_[id].prompt;
}

void TokenHistory::add_output(TokenId id) {
  if (wanted_) ++counts_[id].output;
}

Sampler::Sampler(int vocabulary_size)
    : blocks_(compute::machine_kernels()), vocabulary_size_(vocabulary_size) {
  CHECK(vocabulary_size > 0);
}

Result<GeneratedToken> Sampler::sample(std::span<const float> logits, const Sampling& sampling,
                                       const TokenHistory& history, SamplePoint point) {
  CHECK(logits.size() == static_cast<size_t>(vocabulary_size_));
  look_at(logits, sampling, history);
  auto chosen = static_cast<TokenId>(blocks_.largest_at());
  if (chosen < 0) return fail(ErrorCode::kInternal, "the model computed no finite logit");
  if (sampling.temperature > 0) {
    const double uniform =
        noise(sampling.seed, static_cast<uint64_t>(point.choice), static_cast<uint64_t>(point.position));
    chosen = draw(sampling, uniform);
  }
  ++sampled_;
  if (sampling.top_logprobs < 0) return GeneratedToken{.id = chosen};
  return with_logprobs(logits, chosen, sampling.top_logprobs);
}

/// Copies the logits only where something changes them.
void Sampler::look_at(std::span<const float> logits, const Sampling& sampling, const TokenHistory& history) {
  if (sampling.logit_bias.empty() && history.counts().empty()) {
    blocks_.read(logits);
    if (blocks_.largest() <= std::numeric_limits<float>::max()) return;
  }
  adjusted_.resize(logits.size());
  std::ranges::transform(logits, adjusted_.begin(), finite_or_impossible);
  for (const auto& [id, bias] : sampling.logit_bias) {
    float& logit = adjusted_[static_cast<size_t>(id)];
    logit = finite_or_impossible(logit + bias);
  }
  for (const auto& [id, count] : history.counts()) {
    float& logit = adjusted_[static_cast<size_t>(id)];
    logit = penalised(logit, sampling, count);
  }
  blocks_.read(adjusted_);
}

TokenId Sampler::draw(const Sampling& sampling, double uniform) {
  const double temperature = sampling.temperature;
  if (sampling.top_k > 0 && sampling.top_k < vocabulary_size_) {
    keep_top_k(sampling);
  } else if (sampling.top_p < 1) {
    keep_heaviest(sampling);
  } else if (sampling.min_p > 0) {
    keep_from(sampling.min_p, temperature);
  } else {
    blocks_.weigh(scale_of(temperature));
    return static_cast<TokenId>(blocks_.pick(uniform));
  }
  std::erase_if(kept_, [p = sampling.min_p](const Candidate& candidate) { return candidate.weight < p; });
  return draw_kept(uniform);
}

double Sampler::weight_of(float logit, double temperature) const {
  return std::exp((static_cast<double>(logit) - blocks_.largest()) / temperature);
}

void Sampler::keep_top_k(const Sampling& sampling) {
  kept_.clear();
  double total = 0;
  for (const int64_t id : blocks_.best(sampling.top_k)) {
    const float logit = blocks_.number(id);
    kept_.push_back({.logit = logit, .id = static_cast<TokenId>(id)});
    total += kept_.back().weight = weight_of(logit, sampling.temperature);
  }
  if (sampling.top_p < 1) keep_top_p(sampling.top_p * total);
}

/// Keeps the tokens of at least this weight; returns what they weigh together.
double Sampler::keep_from(double least_weight, double temperature) {
  kept_.clear();
  double total = 0;
  // A little below the bound, which is rounded; the weight itself decides.
  const double bound = blocks_.largest() + temperature * std::log(least_weight);
  const double slack = 1e-5 * (std::fabs(bound) + temperature);
  blocks_.each_from(static_cast<float>(bound - slack), [&](int64_t id, float logit) {
    const double weight = weight_of(logit, temperature);
    if (weight < least_weight || weight == 0) return;
    kept_.push_back({.logit = logit, .id = static_cast<TokenId>(id), .weight = weight});
    total += weight;
  });
  return total;
}

/// Mostly few tokens hold nearly all the weight: looks for them above falling bounds.
void Sampler::keep_heaviest(const Sampling& sampling) {
  const double temperature = sampling.temperature;
  const double wanted = sampling.top_p * blocks_.weigh(scale_of(temperature));
  for (const double least : {1e-2, 1e-4, 1e-8, 1e-37}) {
    if (keep_from(least, temperature) >= wanted) break;
  }
  keep_top_p(wanted);
}

/// Keeps the fewest best of the kept that hold the wanted weight, or all.
void Sampler::keep_top_p(double wanted) {
  // Halves the candidates by rank: when the better half already holds enough, the answer ends in it,
  // otherwise the half belongs to the answer and the search goes on in the rest. Each round looks at half as
  // many.
  ranked_ = kept_;
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

TokenId Sampler::draw_kept(double uniform) const {
  double total = 0;
  for (const Candidate& candidate : kept_) total += candidate.weight;
  double left = uniform * total;
  for (const Candidate& candidate : kept_) {
    left -= candidate.weight;
    if (left < 0) return candidate.id;
  }
  return kept_.back().id;
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
