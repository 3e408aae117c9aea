#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/money.h"
#include "base/result.h"
#include "scheduler/forecast.h"
#include "scheduler/prefix_cache.h"
#include "scheduler/prompt_lookup.h"
#include "scheduler/step_cost.h"
#include "scheduler/step_plan.h"
#include "scheduler/tenant_shares.h"
#include "scheduler/tier.h"

namespace feilun::scheduler {

struct SchedulerOptions {
  int block_count = 0;      ///< KV blocks that there are
  int block_tokens = 16;    ///< tokens a block holds
  int prefill_chunk = 256;  ///< prompt tokens a step at most, over all sequences
  int max_sequences = 64;   ///< slices a step at most
  int max_waiting = 1024;   ///< sequences that have not started, at most
  /// Beside decodes of the tiers priority and default, prompts may make a step this many times as long.
  double prefill_stretch = 1.75;
  /// A sequence counts as one tier more urgent for each such time since it arrived.
  std::chrono::nanoseconds patience = std::chrono::minutes(2);
  /// How long a sequence at its allowance keeps its blocks from those who could use them.
  std::chrono::nanoseconds reader_pause = std::chrono::seconds(1);
  CachePolicy cache = CachePolicy::kLru;
  bool share_prefixes = false;             ///< across tenants
  bool speculate = false;                  ///< check guesses from prompt look-up where that pays
  uint64_t hash_key = 0x9e3779b97f4a7c15;  ///< see PrefixCacheOptions
};

struct NewSequence {
  SequenceId id = 0;
  std::vector<int32_t> prompt;    ///< token ids, at least one
  TokenCount max_tokens = 0;      ///< output tokens at most, at least one
  TokenCount allowed_tokens = 0;  ///< output tokens until allow() raises the bound
  TenantId tenant = 0;            ///< also the salt of its cached prefixes
  Tier tier = Tier::kDefault;
};

/// Decides what each forward pass computes: a state machine without tensors, threads or clocks, so that the
/// price lab can run the very same code in virtual time. Events come in (submit, allow, end, step_done,
/// charge), a StepPlan goes out; the same events give the same plans. What a step takes is foretold by a
/// StepCost that the caller passes in.
///
/// The rules:
/// - A sequence's level is its tier, one better for each `patience` since it arrived: levels never get worse,
///   and in the end everybody is at the top. The place in line is level, then arrival.
/// - Whoever is waiting is started by level; those that have begun before the others; then the tenant that
/// had
///   least of the machine; then arrival. If the next one finds no room, nobody overtakes it, but it may stop
///   running sequences of a worse level.
/// - Each running sequence gets a decode. Prompts get chunks, in line. Where streams that somebody watches
///   (priority and default) decode, the chunks are cut so that the predicted time of the step stays within
///   `prefill_stretch` times that of the decodes alone.
/// - A sequence starts when the blocks that nobody uses cover all its tokens beside what running ones are
/// about
///   to need; what the prefix cache holds of it is not computed.
/// - When a running sequence finds no block, one that stands behind it in line gives up its own: of the worst
///   level the one that is cheapest to redo. It goes back to the queue and computes its lost tokens again
///   later, as far as the cache has not kept them. The first in line is thus never stopped, and every
///   sequence becomes the first: all of them finish.
/// - Where a step has no prompt, decodes bring guesses of what comes next (prompt_lookup.h) for as long as
/// what
///   they are expected to gain is more than what their rows are predicted to take. They use room in blocks
///   that the sequence has anyway.
/// - A sequence at its allowance keeps its blocks and its place and is passed over. It loses its blocks when
///   nothing else could run, and after `reader_pause` to whoever of its level or a better one lacks some:
///   clients that stopped reading must not hold the machine.
class Scheduler {
 public:
  static constexpr int32_t kNoToken = -1;

  explicit Scheduler(const SchedulerOptions& options);

  /// kOverloaded when the queue is full; kContextLengthExceeded when all blocks together could not hold it.
  Result<> submit(NewSequence sequence, MonoTime now);
  /// Raises (never lowers) the bound on output tokens.
  void allow(SequenceId id, TokenCount total);
  /// The sequence finished or was cancelled: nobody uses its blocks now. Not between plan() and step_done().
  void end(SequenceId id, FinishClass finish, MonoTime now);

  /// What to compute next. Empty only when no sequence can run. The plan stays valid until step_done(),
  /// which must follow a plan that is not empty.
  const StepPlan& plan(MonoTime now, const StepCost& cost);
  /// The plan was computed: its K/V lie in the blocks. `sampled`: for each sampling slice, in order, the
  /// token after its own, and after each guess that was right the one after that. kNoToken for a right guess
  /// with which the sequence ended, and for one that failed.
  void step_done(std::span<const int32_t> sampled, MonoTime now);
  /// What the sequence's work took, for fairness among tenants.
  void charge(SequenceId id, std::chrono::nanoseconds cost);

  /// When a request that came now would get its first token.
  Forecast forecast(const StepCost& cost) const;

  int running() const { return static_cast<int>(running_.size()); }
  /// Sequences that have not started yet; preempted ones are not among them.
  int waiting() const { return fresh_waiting_; }
  /// Those in the queue, preempted ones among them, by tier.
  std::array<int, kTierCount> waiting_by_tier() const;
  const PrefixCache& cache() const { return cache_; }
  uint64_t preemptions() const { return preemptions_; }
  /// The KV blocks each running sequence holds, a block that several share in equal parts; sums to
  /// cache().used().
  std::vector<std::pair<SequenceId, double>> holdings();
  /// CHECKs that no block is lost.
  void check() const;

 private:
  using Rank = uint64_t;
  /// Place in line: smaller is served first.
  struct Place {
    int level = 0;
    Rank rank = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  struct Sequence {
    SequenceId id = 0;
    Place place;
    Tier tier = Tier::kDefault;
    TenantId tenant_id = 0;
    TenantShares::Tenant* tenant = nullptr;
    MonoTime arrived;
    std::vector<int32_t> tokens;  ///< prompt, then output
    TokenCount prompt = 0;
    TokenCount max = 0;
    TokenCount allowed = 0;
    TokenCount computed = 0;    ///< tokens whose K/V lie in `table`
    TokenCount high_water = 0;  ///< the most `computed` ever was: below it, computing is redoing
    TokenCount found = 0;       ///< prompt tokens found in the cache
    bool started = false;
    bool running = false;
    BlockTable table;
    PromptLookup lookup{0};
    std::optional<MonoTime> parked_since;  ///< running, and at its allowance since then
    std::vector<int32_t> guess;            ///< in the open plan
    std::optional<int32_t> unasked;        ///< what would have been guessed, had it been worth its row
    double trust = 0.5;                    ///< how often guesses are right, the newest counting most

    TokenCount known() const { return static_cast<TokenCount>(tokens.size()); }
    TokenCount output() const { return known() - prompt; }
    TokenCount pending() const { return known() - computed; }
    bool decoding() const { return pending() == 1 && output() > 0; }
    bool parked() const { return output() >= allowed || output() >= max; }
    /// K/V that it needs for its next token; the last token of all is sampled but never computed.
    TokenCount next_length() const { return std::min(known() + 1, prompt + max - 1); }
  };
  using Line = std::map<Place, Sequence*>;

  /// The step that is being planned.
  struct Draft {
    MonoTime now;
    StepCost cost;
    std::vector<Sequence*> chosen;
    std::vector<TokenCount> lengths;  ///< of each chosen one, where its slice ends
    int prompt_tokens_left = 0;
    bool has_prompt = false;
    std::chrono::nanoseconds limit{0};
  };

  // scheduler_plan.cc
  void raise_levels(Line& line);
  void note_who_is_parked();
  void plan_once();
  std::chrono::nanoseconds limit_beside_streams() const;
  void serve_decodes();
  void serve_prompts();
  bool may_be_served(const Sequence& sequence) const;
  bool serve_chunk(Sequence& sequence);
  TokenCount largest_chunk(const Sequence& sequence) const;
  void find_in_cache(Sequence& sequence);
  Sequence* next_waiting() const;
  bool start(Sequence& sequence);
  bool has_slot(int level) const;
  void take_slot();
  void choose(Sequence& sequence, TokenCount length);
  void drop(size_t chosen);
  StepWork work_of(const Sequence& sequence, TokenCount length) const;
  StepWork work() const;
  void speculate();
  size_t guesses_worth(const Sequence& sequence, size_t most, StepWork& step) const;
  void write_plan();
  TokenCount take_sampled(Sequence& sequence, std::span<const int32_t>& sampled);

  // scheduler_room.cc
  /// Blocks until `length` tokens are covered, or as many as can be had. Returns the covered length.
  TokenCount cover(Sequence& sequence, TokenCount length);
  bool make_room(const Sequence& sequence);
  bool dozes(const Sequence& sequence) const;
  bool preempt_cheapest_dozing(int level);
  bool preempt_cheapest_behind(Place place);
  bool preempt_cheapest_parked();
  void preempt(Sequence& victim);
  int blocks_for(TokenCount tokens) const;
  int blocks_promised(const Sequence& sequence) const;
  int blocks_to_start(const Sequence& sequence) const;
  /// Blocks that no running sequence uses or needs for the tokens it has.
  int unpromised_blocks() const;

  bool anyone_can_run() const;
  void remove(Sequence& sequence);

  SchedulerOptions options_;
  PrefixCache cache_;
  TenantShares tenants_;
  std::unordered_map<SequenceId, Sequence> sequences_;
  Line running_;
  Line waiting_;
  int fresh_waiting_ = 0;
  Rank next_rank_ = 0;
  bool plan_open_ = false;
  Draft draft_;
  StepPlan plan_;
  uint64_t preemptions_ = 0;
  PastSequences past_;
  std::vector<int> holders_;  ///< scratch of holdings(): all zero outside of it
};

}  // namespace feilun::scheduler
