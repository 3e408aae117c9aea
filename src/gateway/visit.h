#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/deployment.h"
#include "gateway/login_guard.h"
#include "gateway/meter.h"
#include "gateway/metrics.h"
#include "gateway/reply_room.h"
#include "gateway/running_claims.h"
#include "ledger/ledger.h"
#include "net/http_server.h"

namespace feilun::gateway {

/// What every endpoint may use; outlives all requests.
struct Services {
  const Deployments& deployments;
  ledger::Ledger& ledger;
  Metrics& metrics;
  const Clock& clock;
  MeterOptions meter;
  std::string page;
  std::string cors_origin;
  std::function<int()> connections;
  ReplyRoom& reply_room;  ///< for replies that may be large and are made as a whole
  boost::asio::thread_pool::executor_type heavy_work;  ///< for what would keep a connection's thread too long
  boost::asio::thread_pool::executor_type admin_work;  ///< for what waits for the ledger
  boost::asio::thread_pool::executor_type
      ledger_work;  ///< for what waits for the ledger, and for nothing else
  RunningClaims& running_claims;
  boost::asio::thread_pool::executor_type
      login_work;  ///< for passwords: hashing one takes a tenth of a second
  LoginGuard& login_guard;
  const std::vector<ledger::Network>& trusted_proxies;
  bool private_webhooks = false;  ///< as ClockworkOptions has it
};

/// One request on its way through the gateway: who asks, under which id, and how to answer.
struct Visit {
  Services& services;
  net::Exchange& exchange;
  std::string request_id;
  std::string_view route;  ///< for metrics: the pattern, not the path
  MonoTime arrived;
  ledger::Key key{};                     ///< set where the route asks for one
  std::optional<ledger::Claim> claim{};  ///< where the request has an idempotency key
  bool whole = false;  ///< a stream that has come to its regular end, and whose charge is known

  const net::Request& request() const { return exchange.request(); }
  /// Adds what every reply carries (x-request-id, CORS) and counts it.
  boost::asio::awaitable<bool> reply(net::Response response);
  /// `final`: asking again will not help, or would be paid for twice.
  boost::asio::awaitable<bool> reply_error(Error error, bool final = false);
  boost::asio::awaitable<bool> reply_json(std::string body);
  boost::asio::awaitable<bool> begin_events();
  /// Begins a reply that is written piece by piece.
  boost::asio::awaitable<bool> begin_download(std::string_view content_type);

 private:
  void add_standing_headers(net::Headers& headers) const;
};

/// Bearer key → Key, if its scope allows the client's address and the path. kUnauthorized, kPermissionDenied.
Result<ledger::Key> authenticate(const Services& services, const net::Request& request);

}  // namespace feilun::gateway
