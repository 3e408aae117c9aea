#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "engine/logprobs.h"
#include "engine/noise.h"

namespace feilun::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<float> logits_of(std::vector<double> probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

TokenId choose(const std::vector<float>& logits, const Sampling& sampling, int64_t position = 0,
               const TokenHistory& history = TokenHistory({})) {
  Sampler sampler(static_cast<int>(logits.size()));
  return sampler.sample(logits, sampling, history, {.position = position})->id;
}

/// How often each token comes in `draws` draws at consecutive positions.
std::vector<int> count_draws(const std::vector<float>& logits, const Sampling& sampling, int draws) {
  Sampler sampler(static_cast<int>(logits.size()));
  const TokenHistory history({});
  std::vector<int> counts(logits.size(), 0);
  for (int position = 0; position < draws; ++position) {
    const auto token = sampler.sample(logits, sampling, history, {.position = position});
    ++counts[static_cast<size_t>(token->id)];
  }
  return counts;
}

/// Pearson's statistic; with d degrees of freedom it exceeds d + 4√(2d) about once in ten thousand.
double chi_square(const std::vector<int>& counts, const std::vector<double>& probabilities) {
  double draws = 0;
  for (const int count : counts) draws += count;
  double sum = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (probabilities[i] == 0) {
      EXPECT_EQ(counts[i], 0) << "token " << i << " is impossible";
      continue;
    }
    const double expected = draws * probabilities[i];
    sum += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  return sum;
}
double limit(int degrees) {
  return degrees + 4 * std::sqrt(2.0 * degrees);
}

const std::vector<double> kFive = {0.1, 0.4, 0.05, 0.3, 0.15};

TEST(Noise, IsUniformAndDiffersInEveryCoordinate) {
  std::vector<int> counts(16, 0);
  for (uint64_t position = 0; position < 16'000; ++position) {
    ++counts[static_cast<size_t>(noise(42, 0, position) * 16)];
  }
  EXPECT_LT(chi_square(counts, std::vector<double>(16, 1.0 / 16)), limit(15));
  std::set<double> values;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    for (uint64_t choice = 0; choice < 8; ++choice) {
      for (uint64_t position = 0; position < 8; ++position) values.insert(noise(seed, choice, position));
    }
  }
  EXPECT_EQ(values.size(), 512u);
}

TEST(Sampler, DrawsFromTheDistribution) {
  EXPECT_LT(chi_square(count_draws(logits_of(kFive), {.seed = 1}, 20'000), kFive), limit(4));
  EXPECT_LT(chi_square(count_draws(logits_of(kFive), {.seed = 2}, 20'000), kFive), limit(4));
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  const auto at = [](double temperature) {
    std::vector<double> powers;
    double total = 0;
    for (const double p : kFive) total += powers.emplace_back(std::pow(p, 1 / temperature));
    for (double& p : powers) p /= total;
    return powers;
  };
  for (const float temperature : {0.5f, 2.0f}) {
    const auto counts = count_draws(logits_of(kFive), {.temperature = temperature, .seed = 5}, 20'000);
    EXPECT_LT(chi_square(counts, at(temperature)), limit(4)) << temperature;
  }
  EXPECT_EQ(choose({1, 2, 1.5f}, {.temperature = 1e-30f}), 1) << "no overflow near zero";
}

TEST(Sampler, GreedyTakesTheLowestIdOfEquals) {
  EXPECT_EQ(choose({1, 3, 2, 3}, {.temperature = 0}), 1);
  EXPECT_EQ(choose({0, 0, 0}, {.temperature = 0}), 0);
}

TEST(Sampler, TopKKeepsTheBestAndRenormalises) {
  const auto counts = count_draws(logits_of(kFive), {.top_k = 2, .seed = 3}, 20'000);
  EXPECT_LT(chi_square(counts, {0, 4.0 / 7, 0, 3.0 / 7, 0}), limit(1));
  const auto ties = count_draws({1, 1, 1, 1}, {.top_k = 2, .seed = 3}, 1'000);
  EXPECT_EQ(ties[2] + ties[3], 0) << "of equals the lower ids stay";
  const auto all = count_draws(logits_of(kFive), {.top_k = 99, .seed = 3}, 20'000);
  EXPECT_LT(chi_square(all, kFive), limit(4));
}

TEST(Sampler, TopPKeepsTheFewestThatHoldTheMass) {
  EXPECT_LT(chi_square(count_draws(logits_of(kFive), {.top_p = 0.69f, .seed = 4}, 20'000),
                       {0, 4.0 / 7, 0, 3.0 / 7, 0}),
            limit(1));
  EXPECT_LT(chi_square(count_draws(logits_of(kFive), {.top_p = 0.71f, .seed = 4}, 20'000),
                       {0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85}),
            limit(2));
  EXPECT_EQ(count_draws(logits_of(kFive), {.top_p = 0, .seed = 4}, 100)[1], 100) << "never fewer than one";
}

TEST(Sampler, TopPAgreesWithSortingOnLargeVocabularies) {
  for (const float p : {0.1f, 0.5f, 0.9f, 0.999f}) {
    std::vector<float> logits(3'000);
    for (size_t id = 0; id < logits.size(); ++id) logits[id] = static_cast<float>(noise(9, 0, id) * 12);
    std::vector<TokenId> order(logits.size());
    for (size_t id = 0; id < order.size(); ++id) order[id] = static_cast<TokenId>(id);
    std::ranges::sort(order, [&](TokenId a, TokenId b) {
      return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
    });
    double total = 0;
    for (const float logit : logits) total += std::exp(logit);
    std::set<TokenId> nucleus;
    double mass = 0;
    for (size_t i = 0; i < order.size() && mass < p * total; ++i) {
      nucleus.insert(order[i]);
      mass += std::exp(logits[static_cast<size_t>(order[i])]);
    }
    const auto counts = count_draws(logits, {.top_p = p, .seed = 8}, 400);
    for (size_t id = 0; id < counts.size(); ++id) {
      if (counts[id] > 0) ASSERT_TRUE(nucleus.contains(static_cast<TokenId>(id))) << "p = " << p;
    }
  }
}

TEST(Sampler, MinPIsMeasuredAgainstTheBest) {
  // Half of 0.4 is 0.2: 0.4 and 0.3 stay.
  EXPECT_LT(chi_square(count_draws(logits_of(kFive), {.min_p = 0.5f, .seed = 6}, 20'000),
                       {0, 4.0 / 7, 0, 3.0 / 7, 0}),
            limit(1));
  EXPECT_EQ(count_draws(logits_of(kFive), {.min_p = 1, .seed = 6}, 100)[1], 100);
}

TEST(Sampler, FiltersApplyInTurnEachToWhatTheLastOneLeft) {
  // top-k leaves 0.4, 0.3, 0.15 of 0.85; half of that is 0.425, more than 0.4: two are needed.
  const auto counts = count_draws(logits_of(kFive), {.top_k = 3, .top_p = 0.5f, .seed = 7}, 20'000);
  EXPECT_LT(chi_square(counts, {0, 4.0 / 7, 0, 3.0 / 7, 0}), limit(1));
}

TEST(Sampler, BiasOfAHundredForbidsAndForces) {
  const std::vector<float> logits = {5, 1, 0, -3};
  const auto forced = count_draws(logits, {.logit_bias = {{3, 100}}, .seed = 1}, 200);
  EXPECT_EQ(forced[3], 200);
  const auto forbidden = count_draws(logits, {.logit_bias = {{0, -100}}, .seed = 1}, 2'000);
  EXPECT_EQ(forbidden[0], 0);
  EXPECT_GT(forbidden[1], 0);
  EXPECT_EQ(choose(logits, {.temperature = 0, .logit_bias = {{0, -100}}}), 1);
}

TEST(Sampler, PenaltiesFollowTheirFormulas) {
  Generation generation{.prompt = {0, 2}, .sampling = {.temperature = 0, .repetition_penalty = 2}};
  const TokenHistory prompt(generation);
  EXPECT_EQ(choose({4, 2.5f, 0}, generation.sampling, 0, prompt), 1) << "4 / 2 < 2.5";
  EXPECT_EQ(choose({-1, -1.5f, -9}, generation.sampling, 0, prompt), 1) << "−1 · 2 < −1.5";

  generation.sampling = {.temperature = 0, .frequency_penalty = 1};
  TokenHistory output(generation);
  EXPECT_EQ(choose({3, 2.5f, 0}, generation.sampling, 0, output), 0) << "the prompt does not count";
  output.add_output(0);
  EXPECT_EQ(choose({3, 2.5f, 0}, generation.sampling, 0, output), 1);
  EXPECT_EQ(choose({3, 1.5f, 0}, generation.sampling, 0, output), 0);
  output.add_output(0);
  EXPECT_EQ(choose({3, 1.5f, 0}, generation.sampling, 0, output), 1) << "twice as much for twice";

  generation.sampling = {.temperature = 0, .presence_penalty = 1};
  TokenHistory presence(generation);
  presence.add_output(0);
  presence.add_output(0);
  EXPECT_EQ(choose({3, 1.5f, 0}, generation.sampling, 0, presence), 0) << "once however often";
  EXPECT_EQ(choose({3, 2.5f, 0}, generation.sampling, 0, presence), 1);
}

TEST(Sampler, SurvivesNumbersThatAreNone) {
  EXPECT_EQ(choose({kNaN, 1, kNaN}, {.temperature = 0}), 1);
  EXPECT_EQ(choose({1, kInfinity, 2}, {.temperature = 0}), 1);
  for (const Sampling& sampling :
       {Sampling{}, Sampling{.top_k = 2}, Sampling{.top_p = 0.5f}, Sampling{.min_p = 0.5f}}) {
    EXPECT_EQ(choose({kNaN, 1, -kInfinity}, sampling), 1);
    EXPECT_EQ(choose({1, kInfinity, 2}, sampling), 1);
  }
  Sampler sampler(2);
  for (const float temperature : {0.0f, 1.0f}) {
    const auto token = sampler.sample(std::vector<float>{kNaN, -kInfinity}, {.temperature = temperature},
                                      TokenHistory({}), {});
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().code, ErrorCode::kInternal);
  }
  EXPECT_EQ(sampler.sampled(), 0);
}

TEST(Sampler, DependsOnSeedChoiceAndPositionAlone) {
  const std::vector<float> logits(64, 0.0f);
  Sampler used(64);
  const TokenHistory history({});
  std::set<std::pair<TokenId, TokenId>> seen;
  for (int64_t position = 0; position < 50; ++position) {
    const auto first = used.sample(logits, {.seed = 9}, history, {.position = position});
    EXPECT_EQ(first->id, choose(logits, {.seed = 9}, position)) << "a used sampler and a new one agree";
    const auto other = used.sample(logits, {.seed = 9}, history, {.choice = 1, .position = position});
    seen.emplace(first->id, other->id);
  }
  EXPECT_GT(seen.size(), 40u);
}

TEST(Logprobs, AreTheLogSoftmaxOfTheRawLogits) {
  Sampler sampler(5);
  const Sampling sampling{.temperature = 0, .logit_bias = {{2, 100}}, .top_logprobs = 3};
  const auto token = sampler.sample(logits_of(kFive), sampling, TokenHistory({}), {});
  EXPECT_EQ(token->id, 2);
  EXPECT_NEAR(token->logprob, std::log(0.05), 1e-6) << "the bias chooses but does not show";
  ASSERT_EQ(token->top.size(), 3u);
  const std::vector<std::pair<TokenId, double>> expected = {{1, 0.4}, {3, 0.3}, {4, 0.15}};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(token->top[i].id, expected[i].first);
    EXPECT_NEAR(token->top[i].logprob, std::log(expected[i].second), 1e-6);
  }
}

TEST(Logprobs, OrderEqualsByIdAndStayFinite) {
  const auto token = with_logprobs(std::vector<float>{1, 2, 2, kNaN, -kInfinity, 2}, 4, 20);
  std::vector<TokenId> order;
  for (const TokenLogprob& top : token.top) order.push_back(top.id);
  EXPECT_EQ(order, (std::vector<TokenId>{1, 2, 5, 0})) << "impossible ones are none of the best";
  EXPECT_EQ(token.logprob, kLogprobMin);
  const auto none = with_logprobs(std::vector<float>{kNaN, kNaN}, 0, 0);
  EXPECT_TRUE(none.top.empty());
  EXPECT_EQ(none.logprob, kLogprobMin);
}

TEST(CheckSampling, NamesTheFieldThatIsWrong) {
  const auto param = [](const Sampling& sampling) {
    const auto result = check_sampling(sampling, 10);
    return result ? std::string("fine") : result.error().param;
  };
  EXPECT_EQ(param({}), "fine");
  EXPECT_EQ(param({.temperature = -1}), "temperature");
  EXPECT_EQ(param({.temperature = kNaN}), "temperature");
  EXPECT_EQ(param({.top_k = -1}), "top_k");
  EXPECT_EQ(param({.top_p = 1.5f}), "top_p");
  EXPECT_EQ(param({.min_p = kInfinity}), "min_p");
  EXPECT_EQ(param({.presence_penalty = kNaN}), "presence_penalty");
  EXPECT_EQ(param({.frequency_penalty = kInfinity}), "frequency_penalty");
  EXPECT_EQ(param({.repetition_penalty = 0}), "repetition_penalty");
  EXPECT_EQ(param({.top_logprobs = 21}), "top_logprobs");
  EXPECT_EQ(param({.logit_bias = {{10, 1}}}), "logit_bias");
  EXPECT_EQ(param({.logit_bias = {{-1, 1}}}), "logit_bias");
  EXPECT_EQ(param({.logit_bias = {{1, kNaN}}}), "logit_bias");
}

}  // namespace
}  // namespace feilun::engine
