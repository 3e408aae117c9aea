#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "scheduler/block_pool.h"
#include "scheduler/step_plan.h"

namespace feilun::scheduler {

struct SchedulerOptions {
  int block_count = 0;      ///< KV blocks that there are
  int block_tokens = 16;    ///< tokens a block holds
  int prefill_chunk = 256;  ///< prefill tokens a step at most, over all sequences
  int max_sequences = 64;   ///< slices a step at most
  int max_waiting = 1024;   ///< sequences that have not started, at most
};

struct NewSequence {
  SequenceId id = 0;
  TokenCount prompt_tokens = 0;   ///< at least one
  TokenCount max_tokens = 0;      ///< output tokens at most, at least one
  TokenCount allowed_tokens = 0;  ///< output tokens until allow() raises the bound
};

/// Decides what each forward pass computes: a state machine without tensors, threads or clocks, so that the
/// price lab can run the very same code in virtual time. Events come in (submit, allow, end, step_done), a
/// StepPlan goes out; the same events give the same plans.
///
/// The rules:
/// - Sequences are served in their order of arrival. Each running one gets a decode, or a chunk of its
///   prompt out of the step's prefill budget; what is left of the budget starts waiting ones. Nobody
///   overtakes the head of the queue, so nobody starves.
/// - A sequence starts when the free blocks cover all its tokens beside what running ones are about to need.
/// - When a running sequence finds no free block, the cheapest-to-redo among those that came after it gives
///   up its blocks and goes back to its place in the queue; its tokens are computed again later. The oldest
///   is thus never stopped, and every sequence becomes the oldest: all of them finish.
/// - A sequence at its allowance keeps its blocks and its place and is passed over. Only when nothing else
///   could run does it lose its blocks.
class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions options);

  /// kOverloaded when the queue is full; kContextLengthExceeded when all blocks together could not hold it.
  Result<> submit(const NewSequence& sequence);
  /// Raises (never lowers) the bound on output tokens.
  void allow(SequenceId id, TokenCount total);
  /// The sequence finished or was cancelled: its blocks are free. Not between plan() and step_done().
  void end(SequenceId id);

  /// What to compute next. Empty only when no sequence can run. The plan stays valid until step_done(),
  /// which must follow a plan that is not empty.
  const StepPlan& plan();
  /// The plan was computed: its tokens are in the cache, each sampling slice brought one token.
  void step_done();

  int running() const { return static_cast<int>(running_.size()); }
  /// Sequences that have not started yet; preempted ones are not among them.
  int waiting() const { return fresh_waiting_; }
  int blocks_total() const { return pool_.total(); }
  int blocks_used() const { return pool_.used(); }
  uint64_t preemptions() const { return preemptions_; }

 private:
  /// Place in line: smaller is served first.
  using Rank = uint64_t;

  struct Sequence {
    SequenceId id = 0;
    Rank rank = 0;
    TokenCount prompt = 0;
    TokenCount max = 0;
    TokenCount allowed = 0;
    TokenCount output = 0;
    TokenCount computed = 0;    ///< tokens whose K/V lie in `blocks`
    TokenCount high_water = 0;  ///< the most `computed` ever was: below it, computing is redoing
    bool started = false;
    std::vector<int32_t> blocks;

    TokenCount known() const { return prompt + output; }
    bool parked() const { return output >= allowed || output >= max; }
    /// K/V that it needs for its next token; the last token of all is sampled but never computed.
    TokenCount next_length() const { return std::min(known() + 1, prompt + max - 1); }
  };
  using Line = std::map<Rank, Sequence*>;

  void plan_once();
  void serve(Sequence& sequence);
  void start_waiting();
  bool step_is_full() const;
  /// Blocks until `length` tokens are covered, or as many as can be had. Returns the covered length.
  TokenCount cover(Sequence& sequence, TokenCount length);
  bool preempt_cheapest_after(Rank rank);
  bool preempt_cheapest_parked();
  void preempt(Sequence& victim);
  bool anyone_can_run() const;
  int blocks_for(TokenCount tokens) const;
  /// Free blocks that no running sequence needs for the tokens it has.
  int unpromised_blocks() const;

  SchedulerOptions options_;
  BlockPool pool_;
  std::unordered_map<SequenceId, Sequence> sequences_;
  Line running_;
  Line waiting_;
  int fresh_waiting_ = 0;
  Rank next_rank_ = 0;
  int prefill_budget_ = 0;
  bool plan_open_ = false;
  StepPlan plan_;
  uint64_t preemptions_ = 0;
};

}  // namespace feilun::scheduler
