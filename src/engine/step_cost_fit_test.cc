#include "engine/step_cost_fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace feilun::engine {
namespace {

using scheduler::StepCost;
using scheduler::StepWork;
using std::chrono::nanoseconds;

/// A machine whose passes take the larger of two straight lines.
struct Machine {
  double read_weights = 18e6;
  double row = 1.2e6;
  double pair = 450;
  double kv_token = 600;
  double sample = 300e3;

  double time(const StepWork& work) const {
    return std::max(read_weights, row * work.rows) + pair * work.attention + kv_token * work.kv_read +
           sample * work.sampled;
  }
};

class Traffic {
 public:
  explicit Traffic(uint64_t seed) : random_(seed) {}

  StepWork decodes() {
    StepWork work;
    for (int i = 1 + roll(32); i > 0; --i) work += StepWork::decode(16 + roll(1000));
    return work;
  }
  StepWork any() {
    StepWork work = roll(4) == 0 ? StepWork{} : decodes();
    if (work.rows == 0 || roll(3) == 0) work += StepWork::chunk(roll(2000), 1 + roll(256), roll(2) == 0);
    return work;
  }
  double noise(double sigma) { return std::exp(std::normal_distribution(0.0, sigma)(random_)); }
  int roll(int sides) { return std::uniform_int_distribution(0, sides - 1)(random_); }

 private:
  std::mt19937_64 random_;
};

void run(StepCostFit& fit, const Machine& machine, Traffic& traffic, int steps, double sigma = 0.05) {
  for (int i = 0; i < steps; ++i) {
    const StepWork work = traffic.any();
    fit.observe(work, nanoseconds(static_cast<int64_t>(machine.time(work) * traffic.noise(sigma))));
  }
}

/// Mean of |predicted ÷ true − 1| over fresh traffic.
double error_of(const StepCost& cost, const Machine& machine, Traffic& traffic) {
  double sum = 0;
  for (int i = 0; i < 500; ++i) {
    const StepWork work = traffic.any();
    sum += std::abs(static_cast<double>(cost.predict(work).count()) / machine.time(work) - 1);
  }
  return sum / 500;
}

TEST(StepCost, CountsTheWorkOfChunksAndDecodes) {
  const StepWork chunk = StepWork::chunk(100, 3, true);
  EXPECT_EQ(chunk.rows, 3);
  EXPECT_EQ(chunk.attention, 101 + 102 + 103);
  EXPECT_EQ(chunk.sampled, 1);
  const StepWork both = chunk + StepWork::decode(40);
  EXPECT_EQ(both.rows, 4);
  EXPECT_EQ(both.kv_read, 40);
  EXPECT_EQ(both.sampled, 2);
}

TEST(StepCost, IsALineOnEachSideOfTheHinge) {
  const StepCost cost{.fixed = 1000, .row = 10, .row_beyond = 90, .crossover = 10, .pair = 1, .sample = 5};
  EXPECT_EQ(cost.predict({.rows = 10}).count(), 1100);
  EXPECT_EQ(cost.predict({.rows = 12, .attention = 7, .sampled = 2}).count(), 1000 + 120 + 180 + 7 + 10);
  for (const double rows : {1.0, 10.0, 11.0, 300.0}) {
    const StepCost::Line line = cost.line_at(rows);
    const StepWork work{.rows = rows, .attention = 50};
    EXPECT_NEAR(line.fixed + line.of(work), static_cast<double>(cost.predict(work).count()), 1) << rows;
  }
}

TEST(StepCostFit, ForeseesAMachineThroughNoise) {
  StepCostFit fit;
  Traffic traffic(1);
  run(fit, {}, traffic, 2'000);
  EXPECT_LT(error_of(fit.cost(), {}, traffic), 0.04);
  EXPECT_GT(fit.r_squared(), 0.95);
  EXPECT_LT(fit.residual(), 0.08);
  EXPECT_GE(fit.cost().crossover, 8);
  EXPECT_LE(fit.cost().crossover, 24) << "15 rows take as long as reading the weights";
}

TEST(StepCostFit, IsUsefulAfterAFewSteps) {
  StepCostFit fit;
  Traffic traffic(2);
  run(fit, {}, traffic, 12);
  EXPECT_LT(error_of(fit.cost(), {}, traffic), 0.35);
}

TEST(StepCostFit, SaysSomethingSensibleBeforeAnyStep) {
  const StepCostFit fit;
  EXPECT_EQ(fit.cost().version, 0u);
  EXPECT_EQ(fit.steps(), 0u);
  EXPECT_EQ(fit.r_squared(), 0);
  EXPECT_EQ(fit.residual(), 0);
  EXPECT_GT(fit.cost().predict(StepWork::chunk(0, 256, true)), fit.cost().predict(StepWork::decode(10)));
}

TEST(StepCostFit, TakesTheProportionsOfThePriorForWhatItHasNotSeen) {
  StepCostFit fit;
  Traffic traffic(3);
  for (int i = 0; i < 500; ++i) {
    const StepWork work = traffic.decodes();
    fit.observe(work, nanoseconds(static_cast<int64_t>(Machine{}.time(work))));
  }
  const StepWork chunk = StepWork::chunk(0, 256, true);
  const double guess = static_cast<double>(fit.cost().predict(chunk).count());
  EXPECT_GT(guess, Machine{}.time(chunk) / 3);
  EXPECT_LT(guess, Machine{}.time(chunk) * 3);
}

TEST(StepCostFit, RemembersChunksThroughAnHourOfDecodes) {
  StepCostFit fit;
  Traffic traffic(4);
  run(fit, {}, traffic, 1'000, 0.02);
  for (int i = 0; i < 20'000; ++i) {
    const StepWork work = traffic.decodes();
    fit.observe(work, nanoseconds(static_cast<int64_t>(Machine{}.time(work))));
  }
  EXPECT_LT(error_of(fit.cost(), {}, traffic), 0.05);
}

TEST(StepCostFit, FollowsAMachineThatBecomesSlower) {
  StepCostFit fit;
  Traffic traffic(5);
  run(fit, {}, traffic, 1'000);
  const Machine slower{.read_weights = 36e6, .row = 2.4e6, .pair = 900, .kv_token = 1200, .sample = 600e3};
  run(fit, slower, traffic, 2'000);
  EXPECT_LT(error_of(fit.cost(), slower, traffic), 0.05);
}

TEST(StepCostFit, IsNotLedAstrayByInterruptions) {
  StepCostFit fit;
  Traffic traffic(6);
  run(fit, {}, traffic, 500);
  for (int i = 0; i < 1'500; ++i) {
    const StepWork work = traffic.any();
    const double slow = traffic.roll(50) == 0 ? 40 : 1;
    fit.observe(work, nanoseconds(static_cast<int64_t>(Machine{}.time(work) * slow)));
  }
  EXPECT_LT(error_of(fit.cost(), {}, traffic), 0.12);
}

TEST(StepCostFit, StaysFiniteAndPositiveWhateverItIsFed) {
  Traffic traffic(7);
  for (int round = 0; round < 20; ++round) {
    StepCostFit fit;
    for (int i = 0; i < 400; ++i) {
      const double scale = std::pow(10.0, traffic.roll(12) - 2);
      StepWork work = traffic.any();
      if (traffic.roll(10) == 0) work = {};
      if (round % 3 == 0) work = StepWork::decode(1);
      fit.observe(work, nanoseconds(static_cast<int64_t>(scale) * (traffic.roll(9) - 1)));
      const StepCost& cost = fit.cost();
      for (const double number :
           {cost.fixed, cost.row, cost.row_beyond, cost.pair, cost.kv_token, cost.sample}) {
        ASSERT_TRUE(std::isfinite(number) && number >= 0);
      }
      ASSERT_TRUE(std::isfinite(fit.r_squared()) && std::isfinite(fit.residual()));
      ASSERT_GE(cost.predict(traffic.any()).count(), 0);
    }
    EXPECT_GT(fit.cost().version, 0u);
  }
}

}  // namespace
}  // namespace feilun::engine
