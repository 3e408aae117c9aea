// From a checked request to the last byte of its answer. The Meter drives engine and ledger; the coroutine
// here only turns what the tape brings into bytes and tells the meter how far the client has got.
#include "gateway/generation_call.h"

#include <boost/asio/post.hpp>

#include "gateway/error_reply.h"
#include "gateway/generation_tape.h"
#include "gateway/paid_call.h"
#include "gateway/service_tier.h"
#include "net/sse.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace {

using engine::FinishReason;
using engine::GeneratedToken;
using engine::GenerationEvent;

/// The tokens to explain: all but the end token, which has no text of its own.
std::vector<GeneratedToken> shown_tokens(GenerationEvent& event) {
  std::vector<GeneratedToken> tokens = std::move(event.tokens);
  const bool ended_by_token = event.finish == FinishReason::kStop && event.stop_string.empty();
  if (ended_by_token && !tokens.empty()) tokens.pop_back();
  return tokens;
}

/// Takes away the tokens of a withheld stop string: those whose text starts after what was kept.
void drop_withheld_tokens(ChoiceText& choice, const Deployment& deployment) {
  size_t start = 0;
  size_t kept = 0;
  while (kept < choice.tokens.size() && start < choice.text.size()) {
    start += deployment.token_bytes(choice.tokens[kept++].id).size();
  }
  choice.tokens.resize(kept);
}

/// Feeds the two latency histograms.
class TokenTimer {
 public:
  explicit TokenTimer(Visit& visit) : visit_(visit) {}
  void saw(const GenerationEvent& event) {
    if (event.tokens.empty()) return;
    last_ = visit_.services.clock.mono();
    if (tokens_ == 0) {
      first_ = last_;
      visit_.services.metrics.time_to_first_token().observe(first_ - visit_.arrived);
    }
    tokens_ += static_cast<int64_t>(event.tokens.size());
  }
  void done() {
    if (tokens_ > 1)
      visit_.services.metrics.time_per_output_token().observe((last_ - first_) / (tokens_ - 1));
  }

 private:
  Visit& visit_;
  MonoTime first_{};
  MonoTime last_{};
  int64_t tokens_ = 0;
};

/// One call while it runs.
struct Running {
  Visit& visit;
  GenerationCall& call;  ///< without `metered`, which the meter has taken
  size_t choices;
  GenerationTape& tape;
  Meter& meter;
  TokenTimer timer;
};

asio::awaitable<void> reply_failed(Visit& visit, const Ending& ending) {
  co_await visit.reply_error(ending.error.value_or(cut_short()), ending.may_be_charged());
}

asio::awaitable<void> answer_whole(Running& run) {
  std::vector<ChoiceText> choices(run.choices);
  while (true) {
    co_await run.tape.wait();
    while (auto item = run.tape.pop()) {
      run.timer.saw(item->event);
      ChoiceText& choice = choices[static_cast<size_t>(item->index)];
      choice.text += item->event.text;
      if (item->event.finish) choice.finish = *item->event.finish;
      const bool withheld = item->event.finish == FinishReason::kStop && !item->event.stop_string.empty();
      std::ranges::move(shown_tokens(item->event), std::back_inserter(choice.tokens));
      if (withheld) drop_withheld_tokens(choice, *run.call.deployment);
    }
    if (run.tape.ending()) break;
  }
  const Ending& ending = *run.tape.ending();
  const bool cut = std::ranges::any_of(
      choices, [](const ChoiceText& choice) { return choice.finish == FinishReason::kCancelled; });
  if (ending.error || cut) {
    co_await reply_failed(run.visit, ending);
  } else {
    co_await run.visit.reply_json(run.call.shape->whole(choices, ending));
  }
}

/// What one turn of the stream's loop has to send, and what the meter is told once it is sent.
struct Turn {
  std::string bytes;
  std::vector<std::pair<int, TokenCount>> delivered;
};

/// The chunk of the choice that finishes last waits for the settlement: money is durable before the client
/// can know that it has everything.
struct LastFinish {
  int unfinished = 0;
  int choice = 0;
  FinishReason reason = FinishReason::kStop;
  bool cut = false;  ///< a choice was cancelled: the client closed its side
};

void take_items(Running& run, Turn& turn, LastFinish& last) {
  while (auto item = run.tape.pop()) {
    GenerationEvent& event = item->event;
    run.timer.saw(event);
    run.call.shape->append_delta(turn.bytes, item->index, event.text, shown_tokens(event));
    turn.delivered.emplace_back(item->index, event.usage.output);
    if (!event.finish) continue;
    last.cut = last.cut || *event.finish == FinishReason::kCancelled;
    if (--last.unfinished > 0) {
      if (*event.finish != FinishReason::kFailed && *event.finish != FinishReason::kCancelled) {
        run.call.shape->append_finish(turn.bytes, item->index, *event.finish, nullptr);
      }
    } else {
      last.choice = item->index;
      last.reason = *event.finish;
    }
  }
}

/// The end of a stream. A client that closed its side while the stream ran and still listens gets the usage
/// of what was made and an error instead of a finish_reason: the text is not whole.
void append_ending(Running& run, Turn& turn, const LastFinish& last, const Ending& ending) {
  if (ending.error) {
    net::append_sse_data(turn.bytes, error_body(*ending.error));
  } else if (!last.cut) {
    run.call.shape->append_finish(turn.bytes, last.choice, last.reason, &ending);
  }
  if (!ending.error && run.call.include_usage) run.call.shape->append_usage(turn.bytes, ending);
  if (!ending.error && last.cut) net::append_sse_data(turn.bytes, error_body(cut_short()));
  net::append_sse_data(turn.bytes, "[DONE]");
}

asio::awaitable<void> answer_stream(Running& run) {
  LastFinish last{.unfinished = static_cast<int>(run.choices)};
  bool begun = false;
  bool listening = true;
  while (true) {
    co_await run.tape.wait();
    Turn turn;
    take_items(run, turn, last);
    const bool ended = run.tape.ending().has_value();
    if (ended && !begun && turn.bytes.empty() && (run.tape.ending()->error || last.cut)) {
      co_await reply_failed(run.visit, *run.tape.ending());
      co_return;
    }
    if (ended) append_ending(run, turn, last, *run.tape.ending());
    if (ended) run.visit.whole = !run.tape.ending()->error && !last.cut && !run.tape.ending()->spooled;
    if (listening && !begun && (ended || !turn.bytes.empty())) {
      begun = true;
      listening = co_await run.visit.begin_events();
    }
    if (listening && !turn.bytes.empty())
      listening = co_await run.visit.exchange.write(std::move(turn.bytes));
    if (ended) break;
    if (!listening) run.meter.abandon(Meter::Abandon::kClientGone);
    for (const auto& [choice, output] : turn.delivered) {
      if (listening) run.meter.delivered(choice, output);
    }
  }
  if (listening) co_await run.visit.exchange.end_stream();
}

/// Brings callbacks of other threads to the connection's.
Meter::Post post_to(asio::any_io_executor executor) {
  return [executor](std::move_only_function<void()> work) { asio::post(executor, std::move(work)); };
}

}  // namespace

Result<TokenCount> output_room(TokenCount prompt_tokens, TokenCount context, std::optional<TokenCount> wish,
                               std::string_view param) {
  if (prompt_tokens >= context) {
    return std::unexpected(
        Error{ErrorCode::kContextLengthExceeded,
              fmt::format("the prompt has {} tokens, but this model's window holds {}, of which at "
                          "least one is for the answer",
                          counted(prompt_tokens, context), context),
              std::string(param)});
  }
  return std::min(wish.value_or(context), context - prompt_tokens);
}

namespace {

/// A request of more sequences than ever run and wait together would be told to retry for ever.
Result<GenerationCall> prepare_checked(Visit& visit, Prepare prepare) {
  GenerationCall call = TRY(prepare(visit));
  const size_t wanted = call.metered.generations.size();
  const size_t at_most = call.deployment->sequences_at_most();
  if (wanted > at_most) {
    return fail(ErrorCode::kInvalidArgument,
                "the request asks for {} answers at once, but this server holds at most {}", wanted, at_most);
  }
  return call;
}

asio::awaitable<void> answer(Visit& visit, GenerationCall call) {
  GenerationTape tape(visit.exchange.executor());
  const size_t choices = call.metered.prompt_of.size();
  const std::string offering = call.metered.offering;
  call.metered.claim = visit.claim;
  auto meter = std::make_shared<Meter>(std::move(call.metered), visit.services.meter, *call.deployment,
                                       visit.services.ledger, post_to(visit.exchange.executor()), tape);
  abandon_when_interrupted(visit, meter);
  meter->start();
  Running run{visit, call, choices, tape, *meter, TokenTimer(visit)};
  std::exception_ptr thrown;
  try {
    if (call.stream) {
      co_await answer_stream(run);
    } else {
      co_await answer_whole(run);
    }
  } catch (...) {
    thrown = std::current_exception();
  }
  // Whatever went wrong above, the money road is walked to its end: the tape must outlive the meter.
  while (!tape.ending()) {
    meter->abandon(Meter::Abandon::kClientGone);
    co_await tape.wait();
    while (tape.pop()) {
    }
  }
  run.timer.done();
  const Ending& ending = *tape.ending();
  visit.services.metrics.count_usage(offering, ending.usage, ending.charged, ending.currency, ending.outcome);
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace

GenerationCall begin_call(const Visit& visit, Deployment& deployment,
                          const GenerationParameters& parameters) {
  GenerationCall call{
      .deployment = &deployment, .stream = parameters.stream, .include_usage = parameters.include_usage};
  call.metered = {.request_id = visit.request_id,
                  .key_id = visit.key.id,
                  .project_id = visit.key.project_id,
                  .offering = parameters.model,
                  .tier = served_tier(parameters.tier, visit.services.meter.priority_tier),
                  .paced = parameters.stream};
  return call;
}

ReplyHead reply_head(std::string_view prefix, const Visit& visit, const Deployment& deployment,
                     const GenerationParameters& parameters, int top_logprobs) {
  const auto now = std::chrono::floor<std::chrono::seconds>(visit.services.clock.wall());
  return {.id = fmt::format("{}-{}", prefix, visit.request_id.substr(visit.request_id.find('_') + 1)),
          .created = now.time_since_epoch().count(),
          .model = parameters.model,
          .fingerprint = deployment.fingerprint(),
          .top_logprobs = top_logprobs,
          .include_usage = parameters.include_usage,
          .service_tier =
              std::string(tier_name(served_tier(parameters.tier, visit.services.meter.priority_tier)))};
}

asio::awaitable<void> answer_prepared(Visit& visit, Prepare prepare) {
  if (const auto means = co_await check_means(visit, Serves::kText); !means) {
    co_await visit.reply_error(means.error());
    co_return;
  }
  auto call = co_await run_work(visit, is_light(visit), [&] { return prepare_checked(visit, prepare); });
  if (!call) {
    co_await visit.reply_error(call.error());
  } else {
    co_await answer(visit, *std::move(call));
  }
}

}  // namespace feilun::gateway
