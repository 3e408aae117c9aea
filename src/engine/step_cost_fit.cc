#include "engine/step_cost_fit.h"

#include <algorithm>
#include <cmath>

namespace feilun::engine {
namespace {

using scheduler::StepCost;
using scheduler::StepWork;

constexpr double kKeep = 1.0 - 1.0 / 256;  ///< what one step leaves of the weight of those before
constexpr uint64_t kStepsToTrust = 64;     ///< from here on an outlier is known for one
constexpr double kOutlier = 3.0;           ///< measured ÷ predicted
constexpr uint64_t kStepsBetweenFits = 16;
/// Weight of the prior against steps that each count 1. A term that makes up a tenth of the time of a hundred
/// steps weighs as much.
constexpr double kPriorWeight = 1.0;
constexpr int kSweepsMax = 100;

}  // namespace

void StepCostFit::Sums::forget(double keep) {
  for (Vector& row : xx) {
    for (double& value : row) value *= keep;
  }
  for (double& value : xt) value *= keep;
  tt *= keep;
}

void StepCostFit::Sums::add(const Vector& x, double t, double weight) {
  for (size_t i = 0; i < kTerms; ++i) {
    for (size_t j = 0; j < kTerms; ++j) xx[i][j] += weight * x[i] * x[j];
    xt[i] += weight * x[i] * t;
  }
  tt += weight * t * t;
}

void StepCostFit::Sums::add(const Sums& other) {
  for (size_t i = 0; i < kTerms; ++i) {
    for (size_t j = 0; j < kTerms; ++j) xx[i][j] += other.xx[i][j];
    xt[i] += other.xt[i];
  }
  tt += other.tt;
}

StepCostFit::StepCostFit(StepCost prior) : prior_(prior), cost_(prior) {
  cost_.version = 0;
}

void StepCostFit::observe(const StepWork& work, std::chrono::nanoseconds measured) {
  double time = static_cast<double>(measured.count());
  if (!(time > 0) || !(work.rows > 0)) return;
  const double predicted = std::max(1.0, static_cast<double>(cost_.predict(work).count()));
  if (steps_ > 0) judge(predicted, time);
  if (steps_ >= kStepsToTrust) time = std::min(time, kOutlier * predicted);

  const double weight = 1 / (time * (steps_ > 0 ? predicted : time));
  auto& kind = work.attention > 0 ? prompts_ : decodes_;
  for (size_t i = 0; i < kHinges.size(); ++i) {
    kind[i].forget(kKeep);
    kind[i].add(terms(work, kHinges[i]), time, weight);
  }
  ++steps_;
  if (steps_ <= kStepsBetweenFits || steps_ % kStepsBetweenFits == 0) refit();
}

StepCostFit::Vector StepCostFit::terms(const StepWork& work, double hinge) const {
  return {prior_.fixed,
          prior_.row * work.rows,
          prior_.row_beyond * std::max(0.0, work.rows - hinge),
          prior_.pair * work.attention,
          prior_.kv_token * work.kv_read,
          prior_.sample * work.sampled};
}

/// By how much all of the prior's numbers together are wrong.
double StepCostFit::typical_factor(const Sums& sums) const {
  double x = 0, y = 0;
  for (size_t i = 0; i < kTerms; ++i) {
    y += sums.xt[i];
    for (size_t j = 0; j < kTerms; ++j) x += sums.xx[i][j];
  }
  return x > 0 ? y / x : 1.0;
}

/// Minimises Σ w (t − f·x)² + kPriorWeight Σ (f_i / typical − 1)² over f ≥ 0, one f_i after the other until
/// none moves: the function is convex, and strictly so thanks to the second sum.
StepCostFit::Solution StepCostFit::solve(const Sums& sums, double typical) {
  const double ridge = kPriorWeight / (typical * typical);
  Solution solution;
  Vector& f = solution.factors;
  f.fill(typical);
  for (int sweep = 0; sweep < kSweepsMax; ++sweep) {
    double moved = 0;
    for (size_t i = 0; i < kTerms; ++i) {
      double wanted = sums.xt[i] + ridge * typical;
      for (size_t j = 0; j < kTerms; ++j) {
        if (j != i) wanted -= sums.xx[i][j] * f[j];
      }
      const double next = std::max(0.0, wanted / (sums.xx[i][i] + ridge));
      moved = std::max(moved, std::abs(next - f[i]));
      f[i] = next;
    }
    if (moved < 1e-7 * typical) break;
  }
  solution.error = sums.tt;
  for (size_t i = 0; i < kTerms; ++i) {
    solution.error += ridge * (f[i] - typical) * (f[i] - typical) - 2 * f[i] * sums.xt[i];
    for (size_t j = 0; j < kTerms; ++j) solution.error += f[i] * sums.xx[i][j] * f[j];
  }
  return solution;
}

void StepCostFit::refit() {
  Solution best;
  double hinge = 0;
  for (size_t i = 0; i < kHinges.size(); ++i) {
    Sums sums = prompts_[i];
    sums.add(decodes_[i]);
    const Solution solution = solve(sums, typical_factor(sums));
    if (hinge > 0 && solution.error >= best.error) continue;
    best = solution;
    hinge = kHinges[i];
  }
  const Vector& f = best.factors;
  if (!std::ranges::all_of(f, [](double factor) { return std::isfinite(factor); })) return;
  cost_ = {.fixed = f[0] * prior_.fixed,
           .row = f[1] * prior_.row,
           .row_beyond = f[2] * prior_.row_beyond,
           .crossover = hinge,
           .pair = f[3] * prior_.pair,
           .kv_token = f[4] * prior_.kv_token,
           .sample = f[5] * prior_.sample,
           .version = cost_.version + 1};
}

void StepCostFit::judge(double predicted, double measured) {
  const double wrong = measured - predicted;
  const auto fold = [](double& sum, double value) { sum = sum * kKeep + value; };
  fold(count_, 1);
  fold(time_, measured);
  fold(time_squared_, measured * measured);
  fold(error_squared_, wrong * wrong);
  fold(error_, std::abs(wrong));
}

double StepCostFit::r_squared() const {
  if (count_ <= 0) return 0;
  const double variance = time_squared_ - time_ * time_ / count_;
  return variance > 1e-12 * time_squared_ ? 1 - error_squared_ / variance : 0;
}

double StepCostFit::residual() const {
  return time_ > 0 ? error_ / time_ : 0;
}

}  // namespace feilun::engine
