// One request's way through the ledger and the engine.
//
//              hold refused                      every sequence finished
//   kNew → kHolding ────────→ kEnded   kRunning ────────────────────────→ kClosing → kEnded
//             │ held                      ↑                                  settle or release,
//             └───────────────────────────┘                                  exactly once, here only
//
// While it runs, three bounds hold the engine back, and the smallest counts:
//   1. what is held: the sum of all allowances never passes the output tokens granted, so a charge never
//      passes the hold, and a stream stops when the money ends;
//   2. the last durable mark + N: a crash charges the mark, so it loses at most N tokens;
//   3. for a stream, what its client's socket took + a small window, so that a client that leaves has never
//      more than the window computed for it in vain.
// Each answer (held, marked, topped up, delivered) raises a bound; each engine event may ask for the next
// mark and the next slice before the bound is reached, so that the engine does not wait for the disk. Only
// the first tokens wait for it: a prompt that is not marked yet, and its answer, would be a crash's to give
// away.
//
// Where gateways share a ledger, holds lapse when it cannot be reached for too long: others may then end
// them. Before that the generation stops, and what there is is settled; the text ends as when money ends.
//
// A sequence is given to the engine when it is first allowed a token: a request for more choices than its
// money or N covers at once starts the rest when the first have freed something.
#include "gateway/meter.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "gateway/request_cost.h"
#include "gateway/service_tier.h"

namespace feilun::gateway {

using engine::FinishReason;
using engine::GenerationEvent;
using ledger::Outcome;

Meter::Meter(MeteredRequest request, MeterOptions options, Deployment& deployment, ledger::Ledger& ledger,
             Post post, MeterListener& listener)
    : request_(std::move(request)),
      options_(options),
      deployment_(deployment),
      ledger_(ledger),
      post_(std::move(post)),
      listener_(listener) {
  CHECK(!request_.generations.empty() && request_.generations.size() == request_.prompt_of.size());
  CHECK(options_.mark_interval >= 1 && options_.hold_slice >= 1 && options_.stream_window >= 1);
  sequences_ = sequences_of(request_.request_id, std::move(request_.generations), request_.prompt_of);
  shares_.resize(sequences_.size());
}

Error not_settled(Error why) {
  if (why.code != ErrorCode::kConflict && why.code != ErrorCode::kNotFound) return why;
  return {ErrorCode::kCancelled,
          "the ledger was away for so long that others ended the request, and charged what they knew of it"};
}

template <typename T>
auto Meter::here(void (Meter::*method)(Result<T>)) {
  ++outstanding_;
  return [self = shared_from_this(), method](Result<T> result) {
    self->post_([self, method, result = std::move(result)]() mutable {
      --self->outstanding_;
      ((*self).*method)(std::move(result));
    });
  };
}

void Meter::start() {
  CHECK(state_ == State::kNew);
  state_ = State::kHolding;
  ledger::HoldRequest hold{.request_id = request_.request_id,
                           .key_id = request_.key_id,
                           .project_id = request_.project_id,
                           .offering = request_.offering,
                           .tier = request_.tier,
                           .input_tokens = prompt_tokens(sequences_),
                           .claim = request_.claim};
  hold.output_slice = std::min(wanted_output(sequences_), options_.hold_slice);
  ledger_.hold(std::move(hold), here(&Meter::on_held));
}

void Meter::on_held(Result<ledger::Hold> hold) {
  if (!hold) {
    error_ = std::move(hold).error();
    ending_.outcome = Outcome::kFailed;
    state_ = State::kClosing;
    return end_when_quiet();
  }
  hold_ = *std::move(hold);
  ending_.currency = hold_.price.currency;
  state_ = State::kRunning;
  if (abandoned_) finish_unsubmitted(FinishReason::kCancelled);
  advance();
}

void Meter::on_event(int index, GenerationEvent event) {
  MeteredSequence& sequence = sequences_[static_cast<size_t>(index)];
  CHECK(!sequence.finish);
  const bool cut = lapsed_ && !abandoned_ && !error_;
  if (cut && event.finish == FinishReason::kCancelled) event.finish = FinishReason::kAllowance;
  sequence.usage = event.usage;
  sequence.finish = event.finish;
  if (event.finish == FinishReason::kFailed) stop_all(event.error);
  untold_.emplace_back(index, std::move(event));
  tell_marked();
  advance();
}

void Meter::delivered(int index, TokenCount output) {
  TokenCount& delivered = sequences_[static_cast<size_t>(index)].delivered;
  delivered = std::max(delivered, output);
  advance();
}

void Meter::abandon(Abandon why) {
  if (abandoned_ || state_ == State::kClosing || state_ == State::kEnded) return;
  abandoned_ = true;
  if (why == Abandon::kServerStopping) {
    error_ =
        Error{ErrorCode::kCancelled, "the server is stopping; what was generated so far has been charged"};
  }
  if (state_ != State::kRunning) return;
  cancel_running();
  finish_unsubmitted(FinishReason::kCancelled);
  advance();
}

void Meter::tell_marked() {
  if (prompts_done(sequences_) <= prompts_marked_ || ledger_away_ || lapsed_) tell();
}

void Meter::tell() {
  for (auto& [index, event] : std::exchange(untold_, {})) listener_.on_event(index, std::move(event));
}

/// After anything that happened while running: journal, hold more, let the engine go on, or end.
void Meter::advance() {
  if (state_ != State::kRunning) return;
  if (!lapsed_ && holds_lapsed()) lapse();
  if (!all_finished(sequences_) && !lapsed_) {
    mark_if_due();
    top_up_if_due();
    raise_allowances();
  }
  // Raising may itself have ended the request: a refused submission, or money for none of the rest.
  if (state_ == State::kRunning && all_finished(sequences_)) close();
}

void Meter::mark_if_due() {
  if (marking_ || ledger_away_) return;
  const TokenCount interval = std::max<TokenCount>(1, options_.mark_interval / 2);
  const int prompts = prompts_done(sequences_);
  if (output(sequences_) - mark_asked_ < interval && prompts <= prompts_asked_) return;
  marking_ = true;
  mark_asked_ = output(sequences_);
  prompts_asked_ = prompts;
  ledger_.mark(request_.request_id, usage(sequences_), here(&Meter::on_marked));
}

void Meter::on_marked(Result<ledger::TokenUsage> marked) {
  marking_ = false;
  if (marked) {
    marked_ = std::max(marked_, marked->total_output());
    prompts_marked_ = prompts_asked_;
  } else if (state_ == State::kRunning) {
    refused(std::move(marked).error());
  }
  tell_marked();
  advance();
  end_when_quiet();
}

void Meter::top_up_if_due() {
  if (topping_up_ || ledger_away_ || hold_.exhausted || abandoned_ || error_) return;
  const TokenCount missing = wanted_output(sequences_) - hold_.output_tokens;
  if (missing <= 0 || hold_.output_tokens - output(sequences_) > options_.hold_slice / 2) return;
  topping_up_ = true;
  ledger_.top_up(request_.request_id, std::min(missing, options_.hold_slice), here(&Meter::on_topped_up));
}

void Meter::on_topped_up(Result<ledger::Hold> hold) {
  topping_up_ = false;
  if (hold) {
    hold_.held = hold->held;
    hold_.output_tokens = std::max(hold_.output_tokens, hold->output_tokens);
    hold_.exhausted = hold->exhausted;
  } else if (hold.error().code == ErrorCode::kInsufficientQuota) {
    hold_.exhausted = true;
  } else if (state_ == State::kRunning) {
    refused(std::move(hold).error());
  }
  advance();
  end_when_quiet();
}

void Meter::raise_allowances() {
  if (abandoned_ || error_) return;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    const MeteredSequence& sequence = sequences_[i];
    Share& share = shares_[i];
    share.finished = sequence.finish.has_value();
    share.output = sequence.usage.output;
    share.ceiling = sequence.max_tokens;
    if (request_.paced) share.ceiling = std::min(share.ceiling, sequence.delivered + options_.stream_window);
  }
  const std::vector<Share> before = shares_;
  const TokenCount left = divide(std::min(hold_.output_tokens, marked_ + options_.mark_interval), shares_);
  for (size_t i = 0; i < shares_.size(); ++i) {
    if (shares_[i].allowed > before[i].allowed) grant(static_cast<int>(i), shares_[i].allowed);
    if (error_) return;
  }
  if (money_ended()) end_at_the_bound(left);
}

bool Meter::money_ended() const {
  if (ledger_away_) return true;
  return hold_.exhausted && !topping_up_ && hold_.output_tokens <= marked_ + options_.mark_interval &&
         hold_.output_tokens < wanted_output(sequences_);
}

/// No bound will rise again for money's sake. A running sequence at its bound must not end before the others
/// are there too: one of them may finish early and leave it something.
void Meter::end_at_the_bound(TokenCount left) {
  if (left > 0) return;
  int running = 0;
  int waiting = 0;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    if (sequences_[i].finish) continue;
    ++running;
    if (sequences_[i].usage.output >= shares_[i].allowed) ++waiting;
  }
  if (running != waiting && running > 1) return;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    MeteredSequence& sequence = sequences_[i];
    if (!sequence.is_running() || sequence.final_sent) continue;
    sequence.final_sent = true;
    deployment_.allow(sequence.id, shares_[i].allowed, true);
  }
  finish_unsubmitted(FinishReason::kAllowance);
}

void Meter::grant(int index, TokenCount allowed) {
  MeteredSequence& sequence = sequences_[static_cast<size_t>(index)];
  if (sequence.submitted) {
    deployment_.allow(sequence.id, allowed, false);
  } else {
    submit(index, allowed);
  }
}

void Meter::submit(int index, TokenCount allowed) {
  MeteredSequence& sequence = sequences_[static_cast<size_t>(index)];
  engine::Generation generation = std::move(sequence.generation);
  generation.id = sequence.id;
  generation.tenant = request_.project_id;
  generation.tier = engine_tier(request_.tier);
  generation.allowed_tokens = allowed;
  sequence.submitted = true;
  auto submitted =
      deployment_.submit(std::move(generation), [self = shared_from_this(), index](GenerationEvent event) {
        self->post_(
            [self, index, event = std::move(event)]() mutable { self->on_event(index, std::move(event)); });
      });
  if (submitted) return;
  sequence.finish = FinishReason::kFailed;
  stop_all(std::move(submitted).error());
}

/// Sequences the engine never saw end here, with an event of their own so that every choice has one.
void Meter::finish_unsubmitted(FinishReason reason) {
  for (size_t i = 0; i < sequences_.size(); ++i) {
    if (sequences_[i].submitted || sequences_[i].finish) continue;
    sequences_[i].finish = reason;
    listener_.on_event(static_cast<int>(i), GenerationEvent{.finish = reason});
  }
}

void Meter::cancel_running() {
  for (const MeteredSequence& sequence : sequences_) {
    if (sequence.is_running()) deployment_.cancel(sequence.id);
  }
}

void Meter::stop_all(Error why) {
  if (!error_) error_ = std::move(why);
  cancel_running();
  finish_unsubmitted(FinishReason::kCancelled);
}

void Meter::ledger_failed(Error why) {
  spdlog::error("request {}: the ledger failed: {}", request_.request_id, why.message);
  if (!ledger_away_) ledger_away_ = std::move(why);
}

/// A mark or a top-up was. That its request has ended can only mean that others took this gateway for dead.
void Meter::refused(Error why) {
  const bool ended = why.code == ErrorCode::kConflict || why.code == ErrorCode::kNotFound;
  if (ended || holds_lapsed()) {
    lapse();
  } else {
    ledger_failed(std::move(why));
  }
}

bool Meter::holds_lapsed() const {
  const MonoTime until = ledger_.holds_until();
  if (until == MonoTime::max()) return false;
  return (options_.clock != nullptr ? options_.clock->mono() : SystemClock().mono()) >= until;
}

void Meter::lapse() {
  if (lapsed_) return;
  spdlog::error("request {}: cut, because the ledger was away for too long", request_.request_id);
  lapsed_ = true;
  ending_.lapsed = true;
  cancel_running();
  finish_unsubmitted(FinishReason::kAllowance);
}

/// The only place where the road ends: one settle, or one release when nothing was computed.
void Meter::close() {
  CHECK(state_ == State::kRunning);
  state_ = State::kClosing;
  // A sequence that the ledger's absence cut short did not end because of money.
  const bool cut = ledger_away_ && !lapsed_ && any_ended(sequences_, FinishReason::kAllowance);
  if (cut && !error_) error_ = ledger_away_;
  ending_.outcome = outcome();
  ending_.usage = usage(sequences_);
  if (ending_.usage.input() == 0 && ending_.usage.total_output() == 0) {
    ledger_.release(request_.request_id, ending_.outcome, here(&Meter::on_closed));
  } else {
    ledger_.settle(request_.request_id, ending_.usage, ending_.outcome, cost(), here(&Meter::on_closed));
  }
}

void Meter::on_closed(Result<ledger::Settlement> settlement) {
  if (settlement) {
    ending_.charged = settlement->charged;
    ending_.usage = settlement->usage;
    ending_.spooled = settlement->spooled;
  } else {
    spdlog::error("request {} could not be settled: {}", request_.request_id, settlement.error().message);
    ending_.unsettled = true;
    ending_.usage = {};
    if (!error_) error_ = not_settled(std::move(settlement).error());
  }
  end_when_quiet();
}

/// A late mark may still be on its way; the listener, and with it the thread we post to, must outlive it.
void Meter::end_when_quiet() {
  if (state_ != State::kClosing || outstanding_ > 0) return;
  tell();
  state_ = State::kEnded;
  ending_.error = error_;
  listener_.on_end(std::move(ending_));
}

std::optional<ledger::RequestCost> Meter::cost() const {
  std::vector<engine::EngineUsage> parts;
  for (const MeteredSequence& sequence : sequences_) parts.push_back(sequence.usage);
  return request_cost(options_.machine.get(), parts);
}

Outcome Meter::outcome() const {
  if (abandoned_) return Outcome::kCancelled;
  if (error_ || lapsed_) return Outcome::kFailed;
  if (any_ended(sequences_, FinishReason::kCancelled)) return Outcome::kCancelled;
  if (any_ended(sequences_, FinishReason::kAllowance)) return Outcome::kBalance;
  return Outcome::kCompleted;
}

}  // namespace feilun::gateway
