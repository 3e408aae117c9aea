#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http_message.h"
#include "net/listen_address.h"

namespace feilun::net {

/// Why a handler that waits should stop waiting.
enum class Interruption {
  kClientGone,      ///< the client closed its side: nobody will read the answer
  kServerStopping,  ///< the grace time of a stop is over: end now, the client still listens
};

/// One request and the way to answer it. Belongs to the connection; valid until the handler's coroutine
/// ends. Used only on executor(), which never runs two things of one connection at once.
///
/// A handler answers either with one reply(), or with begin_stream(), any number of write() and
/// end_stream(). The awaited bool is false when the client is gone; writing more is then harmless.
class Exchange {
 public:
  virtual const Request& request() const = 0;
  virtual boost::asio::any_io_executor executor() = 0;

  virtual boost::asio::awaitable<bool> reply(Response response) = 0;
  virtual boost::asio::awaitable<bool> begin_stream(int status, Headers headers) = 0;
  /// One chunk; true once the socket has taken all of it.
  virtual boost::asio::awaitable<bool> write(std::string bytes) = 0;
  virtual boost::asio::awaitable<bool> end_stream() = 0;

  /// From now until the handler ends, `on_interruption` is called (on the executor, at most once a kind) as
  /// soon as the client closes its side or the server must stop, whatever the handler is waiting for. What
  /// the client sends meanwhile (a pipelined request) is kept. A client that only half-closes counts as gone.
  virtual void watch(std::function<void(Interruption)> on_interruption) = 0;

 protected:
  ~Exchange() = default;
};

using Handler = std::function<boost::asio::awaitable<void>(Exchange&)>;

struct ServerOptions {
  ListenAddress listen;
  int threads = 1;
  size_t header_bytes_max = 64 * 1024;
  size_t body_bytes_max = 8 * 1024 * 1024;
  std::chrono::milliseconds idle_timeout{75'000};         ///< between two requests
  std::chrono::milliseconds header_timeout{15'000};       ///< from a request's first byte to its last header
  std::chrono::milliseconds body_timeout{60'000};         ///< for the whole body
  std::chrono::milliseconds write_stall_timeout{30'000};  ///< without the client taking a byte
  std::chrono::milliseconds stop_grace{10'000};           ///< for running requests after stop()
  /// Asked with the headers alone when a body follows. When it says false the handler is called at once, with
  /// an empty body, and the connection closes after its reply; absent: every body is read.
  std::function<bool(const Request& head)> wants_body;
  /// Makes the reply to what is not HTTP or passes a limit; the connection closes after it.
  std::function<Response(int status, std::string_view message)> refusal;
};

/// An HTTP/1.1 server: keep-alive, pipelining, chunked bodies, limits and timeouts.
///
/// One io_context per thread. A connection is given to one of them for its whole life, so that its state
/// needs no lock and no strand, and a wake-up from elsewhere is one post to a known thread.
class Server {
 public:
  /// Binds; kUnavailable with one clear sentence when the port is taken or not allowed.
  static Result<std::unique_ptr<Server>> listen(ServerOptions options, Handler handler);
  virtual ~Server() = default;  ///< stops and waits

  virtual uint16_t port() const = 0;
  /// Starts the threads and returns.
  virtual void start() = 0;
  /// Stops accepting, closes idle connections, lets running requests end within the grace time, then
  /// interrupts them. Returns at once; any thread, any number of times.
  virtual void stop() = 0;
  /// As stop() when SIGTERM or SIGINT arrives; a second signal ends the grace time.
  virtual void stop_on_signals() = 0;
  /// Returns when every connection has ended after a stop.
  virtual void wait() = 0;
  virtual int connections() const = 0;
};

}  // namespace feilun::net
