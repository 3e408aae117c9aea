// GET /: the one page, all of it in the bytes the gateway was given.
#include "gateway/endpoints.h"

namespace feilun::gateway {

boost::asio::awaitable<void> show_page(Visit& visit) {
  net::Response response;
  response.headers.add("content-type", "text/html; charset=utf-8");
  response.headers.add("cache-control", "no-cache");
  response.headers.add("x-content-type-options", "nosniff");
  response.headers.add(
      "content-security-policy",
      "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
      "img-src 'self' data:; frame-ancestors 'none'");
  response.body = visit.services.page;
  co_await visit.reply(std::move(response));
}

}  // namespace feilun::gateway
