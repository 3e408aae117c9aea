#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "scheduler/step_cost.h"

namespace feilun::engine {

/// Learns a machine's StepCost from its steps while they run.
///
/// Weighted least squares with forgetting, all numbers kept ≥ 0. A step counts by its relative error, so that
/// the long ones do not drown the short. Where the hinge lies is chosen among a few places by the error that
/// is left. What the steps cannot tell apart stays in the proportions of `prior`, scaled to the machine.
/// Steps with prompts and steps of decodes alone are forgotten apart, so that an hour of decodes does not
/// erase what a chunk takes. A step that took far longer than any like it (the system ran something else) is
/// cut down before it is learnt from.
///
/// Not for several threads at once. Nothing here reads a clock.
class StepCostFit {
 public:
  explicit StepCostFit(scheduler::StepCost prior = {});

  void observe(const scheduler::StepWork& work, std::chrono::nanoseconds measured);

  /// The present numbers; `version` counts how often they changed.
  const scheduler::StepCost& cost() const { return cost_; }

  uint64_t steps() const { return steps_; }
  /// Of predictions made before each step was measured, over the last few hundred steps: the share of the
  /// variance that was foreseen. 0 until there is any variance.
  double r_squared() const;
  /// Σ |measured − predicted| ÷ Σ measured.
  double residual() const;

 private:
  static constexpr int kTerms = 6;
  static constexpr std::array kHinges = {2.0, 4.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0};
  using Vector = std::array<double, kTerms>;

  /// The normal equations of one kind of steps at one place of the hinge. Every term is in units of what the
  /// prior says that it takes.
  struct Sums {
    std::array<Vector, kTerms> xx{};
    Vector xt{};
    double tt = 0;
    void forget(double keep);
    void add(const Vector& x, double t, double weight);
    void add(const Sums& other);
  };
  struct Solution {
    Vector factors{};  ///< of the prior's numbers
    double error = 0;
  };

  Vector terms(const scheduler::StepWork& work, double hinge) const;
  double typical_factor(const Sums& sums) const;
  static Solution solve(const Sums& sums, double typical);
  void refit();
  void judge(double predicted, double measured);

  scheduler::StepCost prior_;
  scheduler::StepCost cost_;
  uint64_t steps_ = 0;
  std::array<Sums, kHinges.size()> prompts_{};
  std::array<Sums, kHinges.size()> decodes_{};

  // Of the steps that are not forgotten: count, Σ t, Σ t², Σ (t − predicted)², Σ |t − predicted|.
  double count_ = 0, time_ = 0, time_squared_ = 0, error_squared_ = 0, error_ = 0;
};

}  // namespace feilun::engine
