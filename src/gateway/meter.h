#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "gateway/allowance.h"
#include "gateway/deployment.h"
#include "gateway/metered_sequence.h"
#include "ledger/ledger.h"
#include "pricing/machine_cost.h"

namespace feilun::gateway {

struct MeterOptions {
  TokenCount mark_interval = 32;  ///< N: what a crash can cost the provider, in output tokens a request; ≥ 1
  TokenCount hold_slice = 256;    ///< output tokens held at once; ≥ 1
  TokenCount stream_window = 2;   ///< tokens a stream may run ahead of what its client's socket took; ≥ 1
  /// Requests that ask for the tier priority get it; otherwise they are served as default.
  bool priority_tier = false;
  std::shared_ptr<pricing::MachineCost> machine = nullptr;  ///< journals what each request cost; may be null
  const Clock* clock = nullptr;                             ///< nullptr: the system's
};

/// What is to be generated and who pays.
struct MeteredRequest {
  std::string request_id;
  std::string key_id;
  std::string project_id;
  std::string offering;
  ledger::ServiceTier tier = ledger::ServiceTier::kDefault;
  std::vector<engine::Generation> generations;  ///< `id` and `allowed_tokens` are set by the meter
  std::vector<int>
      prompt_of;       ///< for each generation; those with the same number share a prompt, billed once
  bool paced = false;  ///< a stream: the allowance follows delivered()
  std::optional<ledger::Claim> claim = {};
};

/// How a metered request ended. Money has been settled or released, durably, unless `error` says otherwise.
struct Ending {
  std::optional<Error> error;  ///< the request failed: this is what the client is told
  ledger::TokenUsage usage;    ///< what was charged for; nothing when `unsettled`
  Money charged;
  std::string currency;
  ledger::Outcome outcome = ledger::Outcome::kCompleted;
  bool unsettled = false;  ///< the ledger did not confirm the end: it may yet charge what it has marked
  bool spooled = false;    ///< it will be charged, but how much is not known yet
  bool lapsed = false;     ///< cut because the ledger was away for too long

  /// Asking again could be paid for twice.
  bool may_be_charged() const { return unsettled || spooled || !charged.is_zero(); }
};

/// What is told to a client whose request could not be settled because of `why`.
Error not_settled(Error why);

/// Hears what a Meter does; called on the meter's thread.
class MeterListener {
 public:
  virtual ~MeterListener() = default;
  virtual void on_event(int index, engine::GenerationEvent event) = 0;
  /// Exactly once, last: nothing of the engine or the ledger is outstanding any more.
  virtual void on_end(Ending ending) = 0;
};

/// The money road of one request: hold → generate under an allowance → mark, top up → settle or release,
/// exactly once on every path. meter.cc explains the states.
///
/// Threads: everything happens on one thread, the one that `post` brings work to; start(), delivered() and
/// abandon() must be called there. `deployment`, `ledger` and `listener` outlive on_end().
class Meter : public std::enable_shared_from_this<Meter> {
 public:
  using Post = std::function<void(std::move_only_function<void()>)>;
  enum class Abandon { kClientGone, kServerStopping };

  Meter(MeteredRequest request, MeterOptions options, Deployment& deployment, ledger::Ledger& ledger,
        Post post, MeterListener& listener);
  void start();

  /// The client's socket took what generation `index` had produced when its output stood at `output`.
  void delivered(int index, TokenCount output);
  /// Nobody wants the rest: stops at the next step and charges what was computed.
  void abandon(Abandon why);

 private:
  enum class State { kNew, kHolding, kRunning, kClosing, kEnded };

  void on_held(Result<ledger::Hold> hold);
  void on_event(int index, engine::GenerationEvent event);
  void on_marked(Result<ledger::TokenUsage> marked);
  void on_topped_up(Result<ledger::Hold> hold);
  void on_closed(Result<ledger::Settlement> settlement);

  void tell_marked();
  void tell();
  void advance();
  void mark_if_due();
  void top_up_if_due();
  void raise_allowances();
  void end_at_the_bound(TokenCount left);
  void grant(int index, TokenCount allowed);
  void submit(int index, TokenCount allowed);
  void cancel_running();
  void finish_unsubmitted(engine::FinishReason reason);
  void stop_all(Error why);
  void ledger_failed(Error why);
  void refused(Error why);
  bool holds_lapsed() const;
  void lapse();
  void close();
  void end_when_quiet();

  bool money_ended() const;
  std::optional<ledger::RequestCost> cost() const;
  ledger::Outcome outcome() const;
  /// A callback for another thread that brings its result to `method` on the meter's.
  template <typename T>
  auto here(void (Meter::*method)(Result<T>));

  MeteredRequest request_;
  MeterOptions options_;
  Deployment& deployment_;
  ledger::Ledger& ledger_;
  Post post_;
  MeterListener& listener_;

  State state_ = State::kNew;
  std::vector<MeteredSequence> sequences_;
  std::vector<Share> shares_;
  ledger::Hold hold_;
  TokenCount marked_ = 0;      ///< output tokens of the last durable mark
  TokenCount mark_asked_ = 0;  ///< of the last mark asked for
  int prompts_marked_ = 0;     ///< whose end is durable
  int prompts_asked_ = 0;
  std::vector<std::pair<int, engine::GenerationEvent>> untold_;  ///< wait for their prompt's mark
  int outstanding_ = 0;                                          ///< ledger calls whose answer has not come
  bool marking_ = false;
  bool topping_up_ = false;
  bool abandoned_ = false;
  bool lapsed_ = false;               ///< what is held is not sure to be there any more
  std::optional<Error> ledger_away_;  ///< no mark and no top-up can follow: the present bounds are the last
  std::optional<Error> error_;
  Ending ending_;
};

}  // namespace feilun::gateway
