// Blocking outside, asynchronous inside: each call runs one coroutine on an io_context of its own, which is
// what gives every step a timeout.
#include "net/http_client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <optional>

namespace feilun::net {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace {

using boost::system::error_code;
using OnEvent = std::function<bool(const SseEvent&)>;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// What one call needs; lives in the caller's frame while the coroutine runs.
struct Call {
  const HttpClientOptions* options = nullptr;
  std::string host;
  std::string port;
  http::request<http::string_body> request;
  const OnEvent* on_event = nullptr;

  std::unexpected<Error> away(std::string_view what, error_code error) const {
    return fail(ErrorCode::kUnavailable, "{} http://{}:{}: {}", what, host, port, error.message());
  }
};

using Parser = http::response_parser<http::buffer_body>;

void copy_head(const Parser& parser, Response& response) {
  response.status = static_cast<int>(parser.get().result_int());
  for (const auto& field : parser.get()) response.headers.add(field.name_string(), field.value());
}

asio::awaitable<Result<Response>> read_reply(Call* call, beast::tcp_stream* stream) {
  beast::flat_buffer buffer;
  Parser parser;
  parser.body_limit(boost::none);
  stream->expires_after(call->options->reply_timeout);
  auto [head_error, head_bytes] = co_await http::async_read_header(*stream, buffer, parser, kAwait);
  if (head_error) co_return call->away("no answer from", head_error);
  Response response;
  copy_head(parser, response);
  const bool events = call->on_event != nullptr && response.status == 200 &&
                      response.headers.find("content-type").starts_with("text/event-stream");
  SseParser sse;
  std::string piece(16 * 1024, '\0');
  while (!parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    stream->expires_after(call->options->reply_timeout);
    auto [error, bytes] = co_await http::async_read_some(*stream, buffer, parser, kAwait);
    if (error && error != http::error::need_buffer) co_return call->away("the answer broke off from", error);
    const std::string_view got(piece.data(), piece.size() - parser.get().body().size);
    if (!events) {
      if (response.body.size() + got.size() > call->options->body_bytes_max) {
        co_return fail(ErrorCode::kUnavailable, "the answer is larger than {} bytes",
                       call->options->body_bytes_max);
      }
      response.body += got;
      continue;
    }
    for (const SseEvent& event : sse.feed(got)) {
      if (!(*call->on_event)(event)) co_return response;
    }
  }
  co_return response;
}

asio::awaitable<Result<Response>> perform(Call* call) {
  auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::resolver resolver(executor);
  auto [resolve_error, endpoints] = co_await resolver.async_resolve(call->host, call->port, kAwait);
  if (resolve_error) co_return call->away("cannot find", resolve_error);
  beast::tcp_stream stream(executor);
  stream.expires_after(call->options->connect_timeout);
  auto [connect_error, endpoint] = co_await stream.async_connect(endpoints, kAwait);
  if (connect_error) co_return call->away("cannot reach", connect_error);
  error_code ignored;
  stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  stream.expires_after(call->options->reply_timeout);
  auto [write_error, written] = co_await http::async_write(stream, call->request, kAwait);
  if (write_error) co_return call->away("cannot send to", write_error);
  co_return co_await read_reply(call, &stream);
}

}  // namespace

Result<HttpClient> HttpClient::create(HttpClientOptions options) {
  auto url = boost::urls::parse_uri(options.base_url);
  if (!url || url->scheme() != "http" || url->host().empty()) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a URL such as http://127.0.0.1:8080",
                options.base_url);
  }
  HttpClient client;
  client.host_ = url->host_address();
  client.port_ = url->has_port() ? std::string(url->port()) : "80";
  client.path_ = std::string(url->encoded_path());
  while (client.path_.ends_with('/')) client.path_.pop_back();
  client.options_ = std::move(options);
  return client;
}

Result<Response> HttpClient::call(std::string_view method, std::string_view target, std::string body,
                                  const OnEvent* on_event) const {
  Call call{.options = &options_, .host = host_, .port = port_, .on_event = on_event};
  call.request.version(11);
  call.request.method_string(method);
  call.request.target(path_ + std::string(target));
  call.request.set(http::field::host, fmt::format("{}:{}", host_, port_));
  call.request.set(http::field::connection, "close");
  call.request.set(http::field::user_agent, "feilun");
  for (const auto& field : options_.headers) call.request.set(field.name, field.value);
  if (method != "GET") call.request.set(http::field::content_type, "application/json");
  call.request.body() = std::move(body);
  if (method != "GET") call.request.prepare_payload();

  asio::io_context context(1);
  std::optional<Result<Response>> result;
  asio::co_spawn(context, perform(&call), [&result](std::exception_ptr thrown, Result<Response> value) {
    if (thrown) std::rethrow_exception(thrown);
    result = std::move(value);
  });
  context.run();
  if (!result) return fail(ErrorCode::kInternal, "the call ended without a result");
  return *std::move(result);
}

Result<Response> HttpClient::get(std::string_view target) const {
  return call("GET", target, {}, nullptr);
}

Result<Response> HttpClient::post(std::string_view target, std::string body) const {
  return call("POST", target, std::move(body), nullptr);
}

Result<Response> HttpClient::post_stream(std::string_view target, std::string body,
                                         const OnEvent& on_event) const {
  return call("POST", target, std::move(body), &on_event);
}

}  // namespace feilun::net
