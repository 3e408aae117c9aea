#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/money.h"
#include "base/result.h"
#include "engine/quantise.h"
#include "model/model_file.h"
#include "scheduler/eviction_policy.h"
#include "scheduler/tier.h"

namespace feilun::engine {

using model::ChatInput;
using model::TokenId;
using scheduler::CachePolicy;
using scheduler::Tier;

/// How the next token is chosen. Zero or empty means "off"; defaults choose from the whole distribution.
struct Sampling {
  float temperature = 1.0f;  ///< 0: greedy
  int top_k = 0;
  float top_p = 1.0f;
  float min_p = 0.0f;
  float presence_penalty = 0.0f;    ///< OpenAI's, over generated tokens
  float frequency_penalty = 0.0f;   ///< OpenAI's, over generated tokens
  float repetition_penalty = 1.0f;  ///< over prompt and generated tokens
  std::vector<std::pair<TokenId, float>> logit_bias;
  uint64_t seed = 0;  ///< the random stream is f(seed, choice, position) and nothing else
  bool ignore_eos = false;
  int top_logprobs = -1;  ///< −1: no logprobs; n ≥ 0: the chosen token's and the n best
};

/// One sequence to generate. `n` choices of one API request are n of these, told apart by `choice`.
struct Generation {
  std::string id;                 ///< unique among live generations
  std::vector<TokenId> prompt;    ///< not empty, all in the vocabulary
  TokenCount max_tokens = 0;      ///< ≥ 1
  TokenCount allowed_tokens = 0;  ///< how far it may run before allow() raises the bound (see Engine::allow)
  int choice = 0;
  Sampling sampling;
  std::vector<std::string> stop;  ///< matched on decoded bytes; never leaks into the text, not even in part
  std::string tenant;             ///< who shares the machine fairly with the others, and sees only the
                                  ///< cached prefixes of his own
  Tier tier = Tier::kDefault;
  std::chrono::nanoseconds first_token_within{0};  ///< refused when it is predicted to take longer; 0: never
};

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0;
};

struct GeneratedToken {
  TokenId id = 0;
  float logprob = 0;              ///< log-softmax of the raw logits, when asked for
  std::vector<TokenLogprob> top;  ///< best first, when asked for
};

enum class FinishReason {
  kStop,       ///< an end token or a stop string
  kLength,     ///< max_tokens or the context window
  kAllowance,  ///< allowed_tokens reached and declared final: the money ended
  kCancelled,
  kFailed,  ///< `error` says why
};

/// The engine's own counts: what is billed is this and nothing else. docs/scheduling.md explains the costs.
struct EngineUsage {
  TokenCount prompt_computed = 0;          ///< prompt tokens that went through the model
  TokenCount prompt_cached = 0;            ///< prompt tokens found in a prefix cache
  TokenCount output = 0;                   ///< tokens sampled, end token included, withheld text included
  std::chrono::nanoseconds attributed{0};  ///< share of the steps' measured time
  std::chrono::nanoseconds saved{0};       ///< what computing prompt_cached was predicted to take
  double kv_byte_seconds = 0;              ///< KV memory held × how long; shared blocks in equal parts
  uint64_t cost_model = 0;                 ///< version of the step-time model behind the last share
};

/// What one step brought to one generation.
struct GenerationEvent {
  std::string text;  ///< whole code points only; empty while bytes or a stop prefix are held
  std::vector<GeneratedToken> tokens;  ///< those sampled in this step
  EngineUsage usage;                   ///< running totals after this step
  std::optional<FinishReason> finish;  ///< set exactly once, on the last event
  std::string stop_string;             ///< which one matched, if one did
  Error error;                         ///< for kFailed
};

/// Receives a generation's events in order, on the engine's thread: must not block, may post elsewhere.
/// Called after every step that touched the generation (prefill chunks too); the last has `finish`.
using EventSink = std::function<void(GenerationEvent)>;

/// So many tokens of a text are counted where a window holds `context`: of a prompt that is somewhat too long
/// the number can be told, and one that is far too long costs no more.
constexpr TokenCount counted_at_most(int64_t context) {
  return 2 * context;
}

/// How one forward pass is planned and where its memory ends.
struct EngineOptions {
  int64_t context = 0;          ///< tokens a sequence may hold; 0: the model's own window
  int64_t kv_memory_bytes = 0;  ///< 0: as much as the context × max_sequences needs, at most 1 GiB
  bool kv_bf16 = true;          ///< false: F32
  int threads = 0;              ///< 0: all cores
  int prefill_chunk = 256;      ///< prompt tokens a step at most
  int max_sequences = 64;       ///< sequences in one step at most
  int max_waiting = 1024;       ///< queued beyond that are refused with kOverloaded
  /// Beside streams of the tiers priority and default, prompts may make a step this many times as long.
  double prefill_stretch = 1.75;
  /// As Generation::first_token_within, for requests of the tiers priority and default that do not say; 0:
  /// none.
  std::chrono::nanoseconds first_token_within{0};
  CachePolicy prefix_cache = CachePolicy::kGittins;
  bool share_prefixes = false;  ///< tenants see each other's cached prefixes: a side channel, when wanted
  bool speculate = true;        ///< guess tokens by looking back where that pays; no answer changes
  Quantise quantise = Quantise::kAsStored;
  /// Called on the engine's thread after each step, for tests and metrics. May be empty.
  std::function<void(const struct StepTrace&)> on_step;
};

/// What one forward pass held: each sequence with the count of its prompt and output tokens in the pass.
struct StepTrace {
  struct Row {
    std::string id;
    int prompt_tokens = 0;
    int output_tokens = 0;
    int recomputed_tokens = 0;  ///< computed again after a preemption, in neither of the others
  };
  uint64_t step = 0;
  std::chrono::nanoseconds duration{0};
  std::vector<Row> rows;
};

/// How well step times are predicted.
struct StepModelStats {
  uint64_t version = 0;
  uint64_t steps = 0;      ///< measured so far
  double r_squared = 0;    ///< of predictions made before each step was measured
  double residual = 0;     ///< mean |measured − predicted| ÷ mean measured
  int crossover_rows = 0;  ///< from here on a step is bound by arithmetic, below by memory
};

struct EngineStats {
  uint64_t steps = 0;
  TokenCount prompt_tokens = 0;
  TokenCount output_tokens = 0;
  TokenCount guessed_tokens = 0;  ///< checked in passes
  TokenCount guessed_right_tokens =
      0;                          ///< of these, those that were sampled: tokens without a pass of their own
  TokenCount sampled_tokens = 0;  ///< counted by the sampler itself: an independent check of output_tokens
  int running = 0;
  int waiting = 0;
  int64_t kv_blocks_total = 0;
  int64_t kv_blocks_used = 0;
  TokenCount recomputed_tokens = 0;  ///< lost to preemptions and computed again: waste, in no usage
  uint64_t preemptions = 0;
  std::chrono::nanoseconds busy{0};    ///< Σ of the steps' measured time = Σ attributed + wasted
  std::chrono::nanoseconds wasted{0};  ///< what recomputing and failed generations took
  std::chrono::nanoseconds idle{0};    ///< time without work
  std::chrono::nanoseconds time{0};    ///< since the engine started = busy + idle, the running pass left out
  TokenCount cached_tokens = 0;        ///< prompt tokens found in the prefix cache
  std::chrono::nanoseconds saved{0};   ///< Σ EngineUsage::saved
  double kv_byte_seconds = 0;          ///< Σ EngineUsage::kv_byte_seconds
  int64_t kv_blocks_cached = 0;        ///< beside kv_blocks_used: held by nobody, kept for who comes again
  uint64_t evictions = 0;              ///< cached blocks that had to give room
  std::array<int, scheduler::kTierCount> waiting_by_tier{};
  StepModelStats step_model;

  /// Counts the idle stretch that began then and goes on.
  void rest_until_now(MonoTime since) {
    const std::chrono::nanoseconds rest = SystemClock().mono() - since;
    idle += rest;
    time += rest;
  }
};

/// One model being served: continuous batching over a paged KV cache on a thread of its own.
/// All methods may be called from any thread and return without waiting for a step.
class Engine {
 public:
  /// Checks that weights and KV fit into memory *before* loading (the message says what is missing), loads,
  /// and starts the thread.
  static Result<std::unique_ptr<Engine>> start(model::ModelFile file, EngineOptions options);
  virtual ~Engine() = default;  ///< cancels what runs and joins the thread

  /// kInvalidArgument, kContextLengthExceeded (message with both numbers), kOverloaded or kConflict (the id
  /// is live); then no event follows.
  virtual Result<> submit(Generation generation, EventSink sink) = 0;
  /// Raises the bound on output tokens to `total`. A generation that reaches its bound waits, keeping its
  /// place; with `final` it ends there with kAllowance. Unknown ids are ignored.
  virtual void allow(std::string_view id, TokenCount total, bool final) = 0;
  /// Takes effect at the next step, queued or in prefill too; ends with kCancelled and the usage so far.
  virtual void cancel(std::string_view id) = 0;

  /// The prompt's tokens, BOS included where the model wants one; of more than counted_at_most(context())
  /// more than so many that mean nothing. kInvalidArgument from the template.
  virtual Result<std::vector<TokenId>> encode_chat(const ChatInput& input) const = 0;
  virtual std::vector<TokenId> encode_text(std::string_view text) const = 0;

  /// For logprobs: a token's text and bytes.
  virtual std::string_view token_bytes(TokenId id) const = 0;
  virtual const model::ModelFile& file() const = 0;
  virtual int64_t context() const = 0;
  virtual EngineStats stats() const = 0;
};

}  // namespace feilun::engine
