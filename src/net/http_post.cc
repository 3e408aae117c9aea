#include "net/http_post.h"

#include <openssl/ssl.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <vector>

#include "net/public_address.h"

namespace feilun::net {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace {

using boost::system::error_code;
using Endpoints = std::vector<asio::ip::tcp::endpoint>;
using Tls = beast::ssl_stream<beast::tcp_stream>;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

struct Target {
  bool tls = false;
  std::string host;
  std::string port;
  std::string path;  ///< with the query

  std::string name() const { return (host.contains(':') ? "[" + host + "]" : host) + ":" + port; }
  std::unexpected<Error> away(std::string_view what, error_code error) const {
    return fail(ErrorCode::kUnavailable, "{} {}: {}", what, name(), error.message());
  }
};

Result<Target> target_of(const std::string& text) {
  const auto url = boost::urls::parse_uri(text);
  using boost::urls::scheme;
  const bool known = url && (url->scheme_id() == scheme::https || url->scheme_id() == scheme::http);
  if (!known || url->host_address().empty()) {
    // The URL may hold a secret.
    return fail(ErrorCode::kInvalidArgument, "the URL is none such as https://example.com/hook");
  }
  Target target{.tls = url->scheme_id() == scheme::https, .host = url->host_address()};
  target.port = url->has_port() ? std::string(url->port()) : target.tls ? "443" : "80";
  target.path = std::string(url->encoded_target());
  if (!target.path.starts_with('/')) target.path.insert(0, "/");
  return target;
}

/// The authorities are read once, when they are first needed.
asio::ssl::context& authorities() {
  static asio::ssl::context context = [] {
    asio::ssl::context made(asio::ssl::context::tls_client);
    error_code ignored;
    made.set_default_verify_paths(ignored);
    made.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    made.set_verify_mode(asio::ssl::verify_peer);
    return made;
  }();
  return context;
}

http::request<http::string_body> request_of(const HttpPost& message, const Target& target) {
  http::request<http::string_body> request(http::verb::post, target.path, 11);
  request.set(http::field::host, target.name());
  request.set(http::field::connection, "close");
  request.set(http::field::user_agent, "feilun");
  for (const auto& field : message.headers) request.set(field.name, field.value);
  request.body() = message.body;
  request.prepare_payload();
  return request;
}

asio::awaitable<Result<Endpoints>> resolve(const Target& target, bool private_addresses) {
  asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
  auto [error, found] = co_await resolver.async_resolve(target.host, target.port, kAwait);
  if (error && private_addresses) co_return target.away("cannot find", error);
  Endpoints endpoints;
  for (const auto& entry : found) {
    if (private_addresses || is_public(entry.endpoint().address())) endpoints.push_back(entry.endpoint());
  }
  // Which names there are in private networks is nobody's business out there.
  if (endpoints.empty()) {
    co_return fail(ErrorCode::kPermissionDenied, "{} cannot be found, or is at a private address",
                   target.host);
  }
  co_return endpoints;
}

template <typename Stream>
asio::awaitable<Result<int>> ask(Stream& stream, const HttpPost& message, const Target& target) {
  const auto request = request_of(message, target);
  auto [write_error, written] = co_await http::async_write(stream, request, kAwait);
  if (write_error) co_return target.away("cannot send to", write_error);
  beast::flat_buffer buffer;
  http::response_parser<http::empty_body> parser;
  auto [read_error, bytes] = co_await http::async_read_header(stream, buffer, parser, kAwait);
  if (read_error) co_return target.away("no answer from", read_error);
  co_return parser.get().result_int();
}

asio::awaitable<Result<int>> ask_over_tls(beast::tcp_stream socket, const HttpPost& message,
                                          const Target& target) {
  Tls stream(std::move(socket), authorities());
  stream.set_verify_callback(asio::ssl::host_name_verification(target.host));
  error_code no_address;
  asio::ip::make_address(target.host, no_address);
  if (no_address) SSL_set_tlsext_host_name(stream.native_handle(), target.host.c_str());
  auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::client, kAwait);
  if (error) co_return target.away("no trusted connection to", error);
  co_return co_await ask(stream, message, target);
}

}  // namespace

asio::awaitable<Result<int>> post(HttpPost message) {
  const auto target = target_of(message.url);
  if (!target) co_return std::unexpected(target.error());
  const auto endpoints = co_await resolve(*target, message.private_addresses);
  if (!endpoints) co_return std::unexpected(endpoints.error());
  beast::tcp_stream stream(co_await asio::this_coro::executor);
  stream.expires_after(message.timeout);  // of all that follows
  auto [error, endpoint] = co_await stream.async_connect(*endpoints, kAwait);
  if (error) co_return target->away("cannot reach", error);
  if (target->tls) co_return co_await ask_over_tls(std::move(stream), message, *target);
  co_return co_await ask(stream, message, *target);
}

Result<int> post_now(HttpPost message) {
  asio::io_context context(1);
  Result<int> answer = fail(ErrorCode::kInternal, "the call ended without a result");
  asio::co_spawn(context, post(std::move(message)),
                 [&](const std::exception_ptr& thrown, Result<int> result) {
                   if (!thrown) answer = std::move(result);
                 });
  context.run();
  return answer;
}

}  // namespace feilun::net
