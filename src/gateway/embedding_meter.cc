#include "gateway/embedding_meter.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "gateway/paid_call.h"
#include "gateway/request_cost.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace {

using engine::EmbeddingResult;
using engine::FinishReason;
using ledger::Outcome;

/// Waits for what `start` hands, once and from any thread, to the callback it is given.
template <typename T, typename Start>
asio::awaitable<T> answer_of(Start start) {
  const auto begin = [](auto handler, Start start) {
    const auto executor = asio::get_associated_executor(handler);
    start([handler = std::move(handler), executor](T answer) mutable {
      asio::post(executor, [handler = std::move(handler), answer = std::move(answer)]() mutable {
        std::move(handler)(std::move(answer));
      });
    });
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void(T)>(begin, asio::use_awaitable,
                                                                      std::move(start));
}

Outcome outcome_of(FinishReason finish) {
  switch (finish) {
    case FinishReason::kStop:
      return Outcome::kCompleted;
    case FinishReason::kCancelled:
      return Outcome::kCancelled;
    default:
      return Outcome::kFailed;
  }
}

Error why_cancelled(std::optional<Meter::Abandon> abandoned) {
  if (abandoned == Meter::Abandon::kClientGone) return cut_short();
  return {ErrorCode::kCancelled, "the server is stopping; what was computed so far has been charged"};
}

}  // namespace

asio::awaitable<EmbeddingOutcome> EmbeddingMeter::run() {
  ledger::HoldRequest wanted{.request_id = request_.request_id,
                             .key_id = request_.key_id,
                             .project_id = request_.project_id,
                             .offering = request_.offering,
                             .output_slice = 0,
                             .claim = request_.claim};
  for (const auto& input : request_.inputs) wanted.input_tokens += static_cast<TokenCount>(input.size());
  EmbeddingOutcome out;
  const auto hold = co_await answer_of<Result<ledger::Hold>>(
      [&](auto done) { ledger_.hold(std::move(wanted), std::move(done)); });
  if (!hold) {
    out.ending.error = hold.error();
    out.ending.outcome = Outcome::kFailed;
    co_return out;
  }
  out.ending.currency = hold->price.currency;

  EmbeddingResult result = co_await compute();
  out.ending.outcome = outcome_of(result.finish);
  // What a failure has computed is the server's waste: the client gets nothing and pays nothing.
  if (result.finish != FinishReason::kFailed) out.ending.usage.input_fresh = result.usage.prompt_computed;
  out.vectors = std::move(result.vectors);
  if (result.finish == FinishReason::kCancelled) out.ending.error = why_cancelled(abandoned_);
  if (result.finish == FinishReason::kFailed) out.ending.error = std::move(result.error);
  co_await close(out.ending, result.usage);
  co_return out;
}

void EmbeddingMeter::abandon(Meter::Abandon why) {
  if (!abandoned_) abandoned_ = why;
  engine_.cancel(request_.request_id);
}

asio::awaitable<EmbeddingResult> EmbeddingMeter::compute() {
  if (abandoned_) co_return EmbeddingResult{.finish = FinishReason::kCancelled};
  co_return co_await answer_of<EmbeddingResult>([&](auto done) {
    // A refused job never calls its sink, which is gone by then: both share the way back.
    auto answer = std::make_shared<decltype(done)>(std::move(done));
    const auto submitted = submit([answer](EmbeddingResult result) { (*answer)(std::move(result)); });
    if (!submitted) (*answer)(EmbeddingResult{.finish = FinishReason::kFailed, .error = submitted.error()});
  });
}

/// Whatever is thrown here must not leave the hold behind.
Result<> EmbeddingMeter::submit(engine::EmbeddingSink sink) {
  try {
    return engine_.submit({request_.request_id, std::move(request_.inputs)}, std::move(sink));
  } catch (const std::exception& thrown) {
    return fail(ErrorCode::kInternal, "{}", thrown.what());
  }
}

/// The only place where the road ends.
asio::awaitable<void> EmbeddingMeter::close(Ending& ending, const engine::EngineUsage& taken) {
  const auto settlement = co_await answer_of<Result<ledger::Settlement>>([&](auto done) {
    if (ending.usage.input() == 0) {
      ledger_.release(request_.request_id, ending.outcome, std::move(done));
    } else {
      ledger_.settle(request_.request_id, ending.usage, ending.outcome, request_cost(machine_.get(), {taken}),
                     std::move(done));
    }
  });
  if (settlement) {
    ending.charged = settlement->charged;
    ending.usage = settlement->usage;
    ending.spooled = settlement->spooled;
    co_return;
  }
  spdlog::error("request {} could not be settled: {}", request_.request_id, settlement.error().message);
  ending.unsettled = true;
  ending.usage = {};
  if (!ending.error) ending.error = not_settled(settlement.error());
}

}  // namespace feilun::gateway
