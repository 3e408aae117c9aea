#pragma once

#include <map>
#include <string>
#include <vector>

#include "scheduler/scheduler.h"

namespace feilun::scheduler {

/// A machine in virtual time, for tests: each step takes exactly what its StepCost says, and the scheduler
/// knows it. Who runs is charged by his own part of a step and an equal one of the rest.
class VirtualMachine {
 public:
  explicit VirtualMachine(const SchedulerOptions& options, StepCost cost = two_cores())
      : scheduler_(options), cost_(cost) {}

  /// About what a model of half a billion weights takes on two cores: 18 ms to read them, as long as 15 rows.
  static StepCost two_cores() {
    return {.fixed = 18e6,
            .row = 80e3,
            .row_beyond = 1.1e6,
            .crossover = 15,
            .pair = 450,
            .kv_token = 600,
            .sample = 300e3,
            .version = 1};
  }

  struct Request {
    SequenceId id = 0;
    int prompt = 1;
    int output = 1;
    TenantId tenant = 0;
    Tier tier = Tier::kDefault;
    int topic = -1;   ///< requests of one topic begin alike; −1: like no other
    int opening = 0;  ///< tokens that those of one topic share
  };
  void submit(const Request& request) {
    NewSequence sequence{.id = request.id,
                         .max_tokens = request.output,
                         .allowed_tokens = request.output,
                         .tenant = request.tenant,
                         .tier = request.tier};
    for (int i = 0; i < request.prompt; ++i) {
      const bool shared = request.topic >= 0 && i < request.opening;
      sequence.prompt.push_back(shared ? -request.topic - 1 : static_cast<int32_t>(request.id * 7 + 1));
    }
    CHECK(scheduler_.submit(std::move(sequence), now_));
    Life& life = lives_[request.id];
    life.tenant = request.tenant;
    life.left = request.output;
    life.submitted = now_;
  }
  void cancel(SequenceId id) {
    scheduler_.end(id, FinishClass::kOther, now_);
    lives_.at(id).left = 0;
  }

  /// False when there was nothing to do.
  bool step() {
    const StepPlan plan = scheduler_.plan(now_, cost_);
    if (plan.slices.empty()) return false;
    plans_.push_back(plan);
    StepWork work;
    for (const PlannedSlice& slice : plan.slices) work += slice.work();
    const auto taken = cost_.predict(work);
    now_ += taken;
    finish(plan, work, taken);
    return true;
  }
  void run_until(MonoTime end) {
    while (now_ < end) {
      if (!step()) now_ = end;
    }
  }
  void run() {
    while (step()) {
    }
  }

  struct Life {
    TenantId tenant = 0;
    int left = 0;
    int cached = 0;
    MonoTime submitted, ended;
    std::vector<MonoTime> tokens;  ///< when each came
  };
  const Life& of(SequenceId id) const { return lives_.at(id); }
  std::chrono::nanoseconds first_token_after(SequenceId id) const {
    return of(id).tokens.front() - of(id).submitted;
  }
  std::chrono::nanoseconds served(TenantId tenant) const {
    const auto found = served_.find(tenant);
    return found == served_.end() ? std::chrono::nanoseconds(0) : found->second;
  }
  MonoTime now() const { return now_; }
  Forecast forecast() const { return scheduler_.forecast(cost_); }
  Scheduler& scheduler() { return scheduler_; }
  const std::vector<StepPlan>& plans() const { return plans_; }  ///< without block tables

 private:
  void finish(const StepPlan& plan, const StepWork& work, std::chrono::nanoseconds taken) {
    const StepCost::Line line = cost_.line_at(work.rows);
    const double all = line.fixed + line.of(work);
    std::vector<int32_t> sampled;
    std::vector<SequenceId> done;
    for (const PlannedSlice& slice : plan.slices) {
      Life& life = lives_.at(slice.id);
      const double part =
          (line.fixed / static_cast<double>(plan.slices.size()) + line.of(slice.work())) / all;
      const std::chrono::nanoseconds share(static_cast<int64_t>(static_cast<double>(taken.count()) * part));
      scheduler_.charge(slice.id, share);
      served_[life.tenant] += share;
      life.cached += slice.cached;
      if (!slice.samples) continue;
      sampled.push_back(static_cast<int32_t>(slice.id * 7 + 2));
      life.tokens.push_back(now_);
      if (--life.left == 0) done.push_back(slice.id);
    }
    scheduler_.step_done(sampled, now_);
    for (const SequenceId id : done) {
      scheduler_.end(id, FinishClass::kEnd, now_);
      lives_.at(id).ended = now_;
    }
  }

  Scheduler scheduler_;
  StepCost cost_;
  MonoTime now_{};
  std::map<SequenceId, Life> lives_;
  std::map<TenantId, std::chrono::nanoseconds> served_;
  std::vector<StepPlan> plans_;
};

}  // namespace feilun::scheduler
