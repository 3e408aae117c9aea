#include "gateway/visit.h"

#include "base/log.h"
#include "gateway/client_address.h"
#include "gateway/error_reply.h"

namespace feilun::gateway {
namespace asio = boost::asio;

void Visit::add_standing_headers(net::Headers& headers) const {
  headers.add("x-request-id", request_id);
  if (services.cors_origin.empty()) return;
  headers.add("access-control-allow-origin", services.cors_origin);
  headers.add("access-control-expose-headers",
              "x-request-id, x-should-retry, retry-after, idempotent-replayed, feilun-request-id");
  headers.add("vary", "origin");
}

asio::awaitable<bool> Visit::reply(net::Response response) {
  add_standing_headers(response.headers);
  services.metrics.count_request(route, response.status);
  co_return co_await exchange.reply(std::move(response));
}

asio::awaitable<bool> Visit::reply_error(Error error, bool final) {
  if (error_look(error).status >= 500) spdlog::warn("{} {}: {}", request_id, route, error.message);
  // A ledger that stopped taking money stays so until somebody restarts the server.
  final = final || (error.code == ErrorCode::kUnavailable && !services.ledger.healthy());
  co_return co_await reply(error_reply(error, final));
}

asio::awaitable<bool> Visit::reply_json(std::string body) {
  net::Response response;
  response.headers.add("content-type", "application/json");
  response.body = std::move(body);
  co_return co_await reply(std::move(response));
}

asio::awaitable<bool> Visit::begin_events() {
  net::Headers headers{{"content-type", "text/event-stream; charset=utf-8"},
                       {"cache-control", "no-cache"},
                       {"x-accel-buffering", "no"}};
  add_standing_headers(headers);
  services.metrics.count_request(route, 200);
  co_return co_await exchange.begin_stream(200, std::move(headers));
}

asio::awaitable<bool> Visit::begin_download(std::string_view content_type) {
  net::Headers headers{{"content-type", std::string(content_type)}};
  add_standing_headers(headers);
  services.metrics.count_request(route, 200);
  co_return co_await exchange.begin_stream(200, std::move(headers));
}

Result<ledger::Key> authenticate(const Services& services, const net::Request& request) {
  const std::string_view header = request.headers.find("authorization");
  constexpr std::string_view kScheme = "Bearer ";
  if (header.size() <= kScheme.size() ||
      !net::equal_without_case(header.substr(0, kScheme.size()), kScheme)) {
    return fail(ErrorCode::kUnauthorized, "no API key: send the header 'Authorization: Bearer YOUR_KEY'");
  }
  std::string_view secret = header.substr(kScheme.size());
  while (secret.starts_with(' ')) secret.remove_prefix(1);
  ledger::Key key = TRY(services.ledger.authenticate(secret));
  if (key.scope) {
    TRY(key.scope->check_address(client_address(request, services.trusted_proxies)));
    TRY(key.scope->check_endpoint(request.path()));
  }
  return key;
}

}  // namespace feilun::gateway
