#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "gateway/visit.h"

// What the endpoints that run a model for money have in common, whatever the model gives.

namespace feilun::gateway {

/// What an endpoint wants of a model.
enum class Serves { kText, kVectors };

/// The model a request names, ready to run. kPermissionDenied when the key may not use it, kNotFound,
/// kUnavailable while it is being loaded, kUnsupported when it serves the other kind.
Result<Deployment*> ready_deployment(const Visit& visit, std::string_view model, Serves wanted);

/// What is told to a client that closed its side and may still listen.
Error cut_short();

/// Whether the body is parsed and tokenised on the connection's own thread.
bool is_light(const Visit& visit);

/// Of a body that is not light, before its texts are tokenised: kInsufficientQuota or kRateLimited where its
/// payer has nothing for even the smallest request to its model. What else is wrong is left to who reads it
/// whole.
boost::asio::awaitable<Result<>> check_means(Visit& visit, Serves wanted);

/// How many tokens a text has, as it is told: "200", or "more than 256" where the engine has not counted on.
std::string counted(TokenCount tokens, TokenCount context);

/// Runs work on a thread of `where`, so that other connections need not wait for it.
template <typename Work>
boost::asio::awaitable<std::invoke_result_t<Work>> run_on(boost::asio::thread_pool::executor_type where,
                                                          Work work) {
  const auto there = [](Work work) -> boost::asio::awaitable<std::invoke_result_t<Work>> {
    co_return work();
  };
  co_return co_await boost::asio::co_spawn(where, there(std::move(work)), boost::asio::use_awaitable);
}

/// Runs pure work, elsewhere when there is much of it.
template <typename Work>
boost::asio::awaitable<std::invoke_result_t<Work>> run_work(Visit& visit, bool light, Work work) {
  if (light) co_return work();
  co_return co_await run_on(visit.services.heavy_work, std::move(work));
}

/// From now on the meter is told when the client leaves or the server stops.
template <typename AnyMeter>
void abandon_when_interrupted(Visit& visit, std::shared_ptr<AnyMeter> meter) {
  visit.exchange.watch([meter = std::move(meter)](net::Interruption why) {
    meter->abandon(why == net::Interruption::kClientGone ? Meter::Abandon::kClientGone
                                                         : Meter::Abandon::kServerStopping);
  });
}

}  // namespace feilun::gateway
