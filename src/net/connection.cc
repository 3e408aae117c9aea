// The life of one connection.
//
// Reading uses Beast's parser, because that is where hostile bytes arrive; replies are written as plain
// strings. While a handler works, a wait for readability stays outstanding on the socket: the moment the
// client closes, the handler is told, even when it is waiting for something that has nothing to do with the
// socket. Bytes that come instead of a close are a pipelined request: they go into the same buffer and are
// parsed when their turn comes.
//
// Deadlines: one timer that is only moved when a nearer deadline appears. Most operations end long before
// their deadline, so setting one is normally the store of a number.
#include "net/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>

#include "base/log.h"

namespace feilun::net {
namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace {

using boost::system::error_code;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// Beast starts at 512 bytes, which costs four more reads for a usual request.
constexpr size_t kBufferStart = 16 * 1024;
/// How long a client may go on sending after a refusal, so that it sees the reply instead of a reset.
constexpr std::chrono::milliseconds kLingerTime{2000};

/// "http://host:port/path?query" → "/path?query" (RFC 9112, 3.2.2); other targets as they are.
std::string origin_form(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equal_without_case(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    return target.starts_with('/') ? std::string(target) : fmt::format("/{}", target);
  }
  return std::string(target);
}

/// Where the first line feed without a carriage return stands in the headers that start at `from` or
/// earlier; npos when there is none before their end.
size_t find_bare_line_feed(std::string_view text, size_t from) {
  text = text.substr(0, text.find("\r\n\r\n"));
  for (size_t at = text.find('\n', from); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return at;
  }
  return std::string_view::npos;
}

/// "Sun, 06 Nov 1994 08:49:37 GMT", made once a second a thread.
const std::string& http_date() {
  thread_local std::time_t made_at = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char out[64];
    const size_t length = std::strftime(out, sizeof out, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    text.assign(out, length);
    made_at = now;
  }
  return text;
}

/// Empty when the other end has no IP address, or is gone already.
std::string address_of(const Connection::Socket& socket) {
  error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  if (error) return {};
  char text[INET6_ADDRSTRLEN] = {};
  const sockaddr* address = endpoint.data();
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  } else if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  }
  return text;
}

}  // namespace

Connection::Connection(Socket socket, const ServerOptions& options, const Handler& handler)
    : socket_(std::move(socket)),
      options_(options),
      handler_(handler),
      buffer_(options.header_bytes_max + options.body_bytes_max + kBufferStart),
      timer_(socket_.get_executor()) {
  buffer_.reserve(kBufferStart);
  error_code ignored;
  socket_.non_blocking(true, ignored);
  client_address_ = address_of(socket_);
}

asio::awaitable<void> Connection::serve(std::shared_ptr<Connection> self) {
  try {
    while (co_await self->serve_one()) {
    }
  } catch (const std::exception& e) {
    spdlog::error("a connection ended by an exception: {}", e.what());
  }
  self->stop_watching();
  self->timer_.cancel();
  error_code ignored;
  self->socket_.shutdown(asio::socket_base::shutdown_both, ignored);
  self->socket_.close(ignored);
}

asio::awaitable<bool> Connection::serve_one() {
  phase_ = Phase::kIdle;
  if (closing_ || !co_await await_first_byte()) co_return false;
  phase_ = Phase::kReading;
  body_unread_ = false;
  if (auto refused = co_await read_request()) {
    co_await refuse(*std::move(refused));
    co_return false;
  }
  phase_ = Phase::kHandling;
  answer_ = Answer::kNone;
  co_await handle();
  stop_watching();
  if (body_unread_ && !gone_) co_await linger();
  co_return keep_alive_ && !closing_ && !gone_ && answer_ == Answer::kComplete;
}

asio::awaitable<void> Connection::handle() {
  bool failed = false;
  try {
    co_await handler_(*this);
  } catch (const std::exception& e) {
    spdlog::error("{} {} failed: {}", request_.method, request_.path(), e.what());
    failed = true;
  }
  if (answer_ == Answer::kNone) {
    if (!failed) spdlog::error("{} {} was not answered", request_.method, request_.path());
    co_await refuse({500, "the server failed to answer this request"});
  }
}

asio::awaitable<bool> Connection::await_first_byte() {
  set_deadline(options_.idle_timeout);
  while (true) {
    // Empty lines before a request are skipped (RFC 9112, 2.2).
    std::string_view text = unparsed();
    while (text.starts_with("\r\n")) text.remove_prefix(2);
    buffer_.consume(buffer_.size() - text.size());
    if (!text.empty() && text != "\r") co_return true;
    if (co_await read_some() || closing_) co_return false;
  }
}

std::string_view Connection::unparsed() const {
  return {static_cast<const char*>(buffer_.data().data()), buffer_.size()};
}

/// What a deadline or an interruption cancels is a read that waits. One that had ended by then, as of a
/// client that sends without a pause, is the last.
asio::awaitable<error_code> Connection::read_some() {
  if (timed_out_ || interrupted_) co_return asio::error::operation_aborted;
  auto [error, count] = co_await socket_.async_read_some(buffer_.prepare(kBufferStart), kAwait);
  buffer_.commit(count);
  co_return error;
}

/// Reads and parses until the headers, or the whole request, are there. Beast's own read operations are not
/// used: the parser throws for a field that is too long, and inside an operation of Beast's nothing catches
/// it.
asio::awaitable<error_code> Connection::parse(Parser& parser, bool headers_only) {
  parser.eager(!headers_only);
  size_t scanned = 0;
  while (!(headers_only ? parser.is_header_done() : parser.is_done())) {
    error_code error;
    size_t used = 0;
    try {
      if (buffer_.size() > 0) used = parser.put(buffer_.data(), error);
    } catch (const std::exception&) {
      error = http::error::header_limit;
    }
    if (headers_only && error && find_bare_line_feed(unparsed(), scanned) != std::string_view::npos) {
      co_return http::error::bad_line_ending;
    }
    buffer_.consume(used);
    if (error && error != http::error::need_more) co_return error;
    if (used > 0 && buffer_.size() > 0 && !error) continue;
    if (headers_only ? parser.is_header_done() : parser.is_done()) break;
    // What the parser leaves is a part of the headers, of a chunk's head or of the trailer.
    if (buffer_.size() > options_.header_bytes_max) co_return http::error::header_limit;
    scanned = buffer_.size();
    if ((error = co_await read_some())) co_return error;
  }
  co_return error_code();
}

asio::awaitable<std::optional<Connection::Refused>> Connection::read_request() {
  Parser parser;
  parser.header_limit(static_cast<uint32_t>(options_.header_bytes_max));
  parser.body_limit(options_.body_bytes_max);
  keep_alive_ = false;
  http_1_0_ = false;
  request_ = {};

  set_deadline(options_.header_timeout);
  if (const error_code error = co_await parse(parser, true)) co_return unreadable(error, "headers");
  auto& head = parser.get();
  request_.client_address = client_address_;
  request_.method = head.method_string();
  request_.target = origin_form(head.target());
  for (const auto& field : head) request_.headers.add(field.name_string(), field.value());
  http_1_0_ = head.version() < 11;
  if (auto refused = check_headers()) co_return refused;
  if (!parser.is_done()) {
    if (options_.wants_body && !options_.wants_body(request_)) {
      body_unread_ = true;
      deadline_ = std::chrono::steady_clock::time_point::max();
      co_return std::nullopt;
    }
    if (request_.headers.contains("expect") && !http_1_0_ && buffer_.size() == 0 &&
        !co_await send("HTTP/1.1 100 Continue\r\n\r\n")) {
      co_return Refused{};
    }
    set_deadline(options_.body_timeout);
    if (const error_code error = co_await parse(parser, false)) co_return unreadable(error, "body");
  }
  deadline_ = std::chrono::steady_clock::time_point::max();
  keep_alive_ = parser.keep_alive();
  request_.body = std::move(parser.get().body());
  co_return std::nullopt;
}

/// What the parser lets pass and this server does not. A request whose end is not certain must not be
/// answered as if it were: what follows it could be taken for another request.
std::optional<Connection::Refused> Connection::check_headers() const {
  int hosts = 0;
  int codings = 0;
  for (const auto& field : request_.headers) {
    if (equal_without_case(field.name, "host")) ++hosts;
    if (equal_without_case(field.name, "transfer-encoding")) {
      if (++codings > 1 || http_1_0_) {
        return Refused{400, "one Transfer-Encoding at most, and none in HTTP/1.0"};
      }
      if (!equal_without_case(field.value, "chunked")) {
        return Refused{501, "the only Transfer-Encoding understood here is 'chunked'"};
      }
    }
    if (equal_without_case(field.name, "content-encoding") && !field.value.empty() &&
        !equal_without_case(field.value, "identity")) {
      return Refused{415, "bodies are read as they are: send no Content-Encoding"};
    }
  }
  if (codings > 0 && request_.headers.contains("content-length")) {
    return Refused{400, "either Content-Length or Transfer-Encoding, not both"};
  }
  if (!http_1_0_ && hosts != 1) return Refused{400, "an HTTP/1.1 request names exactly one Host"};
  const std::string_view expect = request_.headers.find("expect");
  if (!expect.empty() && !http_1_0_ && !equal_without_case(expect, "100-continue")) {
    return Refused{417, "only '100-continue' can be expected"};
  }
  return std::nullopt;
}

/// Which reply, if any, fits what went wrong while reading a request's headers or body.
Connection::Refused Connection::unreadable(error_code error, std::string_view part) const {
  if (timed_out_) return {408, fmt::format("the request's {} took too long to arrive", part)};
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return {431, fmt::format("the request's headers are larger than {} bytes", options_.header_bytes_max)};
  }
  if (error == http::error::body_limit) {
    return {413, fmt::format("the request's body is larger than {} bytes", options_.body_bytes_max)};
  }
  if (error == http::error::bad_line_ending) return {400, "lines of an HTTP request end with CR LF"};
  if (error == http::error::bad_version) return {505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
  const bool http_error = error.category() == make_error_code(http::error::bad_method).category();
  const bool left = error == http::error::end_of_stream || error == http::error::partial_message;
  if (!http_error || left) return {};
  return {400, fmt::format("not an HTTP/1.1 request (in its {}): {}", part, error.message())};
}

asio::awaitable<void> Connection::refuse(Refused why) {
  if (why.status == 0 || gone_) co_return;
  keep_alive_ = false;
  Response response{.status = why.status};
  if (options_.refusal) {
    response = options_.refusal(why.status, why.message);
  } else {
    response.headers.add("content-type", "text/plain; charset=utf-8");
    response.body = why.message + "\n";
  }
  answer_ = Answer::kNone;
  if (co_await reply(std::move(response))) co_await linger();
}

asio::awaitable<void> Connection::linger() {
  error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  set_deadline(kLingerTime);
  std::string sink(kBufferStart, '\0');
  for (size_t total = 0; !timed_out_ && total < 2 * options_.body_bytes_max + options_.header_bytes_max;) {
    auto [error, count] = co_await socket_.async_read_some(asio::buffer(sink), kAwait);
    if (error) co_return;
    total += count;
  }
}

std::string Connection::head(int status, const Headers& headers) const {
  std::string text =
      fmt::format("HTTP/1.1 {} {}\r\ndate: {}\r\n", status, reason_phrase(status), http_date());
  for (const auto& field : headers) {
    text.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (!keep_alive_ || closing_) {
    text += "connection: close\r\n";
  } else if (http_1_0_) {
    text += "connection: keep-alive\r\n";
  }
  return text;
}

asio::awaitable<bool> Connection::reply(Response response) {
  if (answer_ != Answer::kNone) co_return false;
  answer_ = Answer::kComplete;
  std::string text = head(response.status, response.headers);
  if (response.status != 204 && response.status != 304) {
    text += fmt::format("content-length: {}\r\n", response.body.size());
  }
  text += "\r\n";
  if (request_.method != "HEAD") text += response.body;
  co_return co_await send(std::move(text));
}

asio::awaitable<bool> Connection::begin_stream(int status, Headers headers) {
  if (answer_ != Answer::kNone) co_return false;
  answer_ = Answer::kStreaming;
  chunked_ = !http_1_0_;
  if (!chunked_) keep_alive_ = false;
  std::string text = head(status, headers);
  if (chunked_) text += "transfer-encoding: chunked\r\n";
  co_return co_await send(text + "\r\n");
}

asio::awaitable<bool> Connection::write(std::string bytes) {
  if (answer_ != Answer::kStreaming) co_return false;
  if (bytes.empty() || request_.method == "HEAD") co_return !gone_;
  if (chunked_) bytes = fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
  co_return co_await send(std::move(bytes));
}

asio::awaitable<bool> Connection::end_stream() {
  if (answer_ != Answer::kStreaming) co_return false;
  answer_ = Answer::kComplete;
  if (!chunked_ || request_.method == "HEAD") co_return !gone_;
  co_return co_await send("0\r\n\r\n");
}

asio::awaitable<bool> Connection::send(std::string bytes) {
  size_t sent = 0;
  while (sent < bytes.size() && !gone_) {
    set_deadline(options_.write_stall_timeout);
    auto [error, count] =
        co_await socket_.async_write_some(asio::buffer(bytes.data() + sent, bytes.size() - sent), kAwait);
    sent += count;
    if (error) gone_ = true;
  }
  deadline_ = std::chrono::steady_clock::time_point::max();
  co_return !gone_;
}

void Connection::watch(std::function<void(Interruption)> on_interruption) {
  on_interruption_ = std::move(on_interruption);
  if (interrupted_)
    asio::post(executor(), [self = shared_from_this()] { self->tell(Interruption::kServerStopping); });
  arm_watch();
}

void Connection::arm_watch() {
  socket_.async_wait(Socket::wait_read,
                     asio::bind_cancellation_slot(
                         watch_cancel_.slot(), [self = shared_from_this(), epoch = watch_epoch_](
                                                   error_code error) { self->on_readable(error, epoch); }));
}

void Connection::on_readable(error_code error, uint64_t epoch) {
  if (epoch != watch_epoch_) return;
  while (!error) {
    // A client may pipeline as much as one more request; beyond that its bytes wait in the kernel, and its
    // disconnect is noticed by the next write.
    if (buffer_.size() + kBufferStart > buffer_.max_size()) return;
    const size_t count = socket_.read_some(buffer_.prepare(kBufferStart), error);
    buffer_.commit(count);
  }
  if (error == asio::error::would_block) return arm_watch();
  // After an orderly close the other direction may still be open: last words are written, and fail if not.
  keep_alive_ = false;
  if (error != asio::error::eof) gone_ = true;
  tell(Interruption::kClientGone);
}

void Connection::stop_watching() {
  ++watch_epoch_;
  on_interruption_ = nullptr;
  watch_cancel_.emit(asio::cancellation_type::all);
}

void Connection::tell(Interruption what) {
  // Called from a copy: the handler may end, and with it the watch, inside the call.
  if (auto callback = on_interruption_) callback(what);
}

void Connection::drain() {
  closing_ = true;
  if (phase_ == Phase::kIdle) socket_.cancel();
}

void Connection::interrupt() {
  closing_ = true;
  interrupted_ = true;
  if (phase_ == Phase::kHandling) return tell(Interruption::kServerStopping);
  socket_.cancel();
}

void Connection::abort() {
  closing_ = true;
  error_code ignored;
  socket_.close(ignored);
}

void Connection::set_deadline(std::chrono::milliseconds from_now) {
  deadline_ = std::chrono::steady_clock::now() + from_now;
  timed_out_ = false;
  if (!timer_armed_ || timer_.expiry() > deadline_) arm_timer();
}

void Connection::arm_timer() {
  timer_armed_ = true;
  timer_.expires_at(deadline_);
  timer_.async_wait([self = shared_from_this()](error_code error) { self->on_timer(error); });
}

void Connection::on_timer(error_code error) {
  if (error) return;
  if (deadline_ == std::chrono::steady_clock::time_point::max()) {
    timer_armed_ = false;
  } else if (std::chrono::steady_clock::now() < deadline_) {
    arm_timer();
  } else {
    timer_armed_ = false;
    timed_out_ = true;
    socket_.cancel();
  }
}

}  // namespace feilun::net
