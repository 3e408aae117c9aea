#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>

#include "net/http_server.h"

namespace feilun::net {

/// One client's connection: reads a request, has it answered, reads the next. Everything happens on the
/// socket's executor, which must be a single thread.
class Connection final : public Exchange, public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  /// `options` and `handler` outlive the connection.
  Connection(Socket socket, const ServerOptions& options, const Handler& handler);

  /// Serves requests until the connection ends; never throws.
  static boost::asio::awaitable<void> serve(std::shared_ptr<Connection> self);

  /// The server will stop: an idle connection closes now, a busy one after its reply.
  void drain();
  /// The grace time is over: a watching handler is told, and a request still being read is given up.
  void interrupt();
  /// The last means: closes the socket under whatever runs.
  void abort();

  const Request& request() const override { return request_; }
  boost::asio::any_io_executor executor() override { return socket_.get_executor(); }
  boost::asio::awaitable<bool> reply(Response response) override;
  boost::asio::awaitable<bool> begin_stream(int status, Headers headers) override;
  boost::asio::awaitable<bool> write(std::string bytes) override;
  boost::asio::awaitable<bool> end_stream() override;
  void watch(std::function<void(Interruption)> on_interruption) override;

 private:
  /// Why a request could not be read; status 0 means that there is nobody to tell.
  struct Refused {
    int status = 0;
    std::string message;
  };
  enum class Phase { kIdle, kReading, kHandling };
  enum class Answer { kNone, kStreaming, kComplete };

  boost::asio::awaitable<bool> serve_one();
  boost::asio::awaitable<void> handle();
  boost::asio::awaitable<bool> await_first_byte();
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  boost::asio::awaitable<std::optional<Refused>> read_request();
  boost::asio::awaitable<boost::system::error_code> parse(Parser& parser, bool headers_only);
  boost::asio::awaitable<boost::system::error_code> read_some();
  std::string_view unparsed() const;
  std::optional<Refused> check_headers() const;
  Refused unreadable(boost::system::error_code error, std::string_view part) const;
  boost::asio::awaitable<void> refuse(Refused why);
  boost::asio::awaitable<void> linger();
  boost::asio::awaitable<bool> send(std::string bytes);
  std::string head(int status, const Headers& headers) const;

  void arm_watch();
  void on_readable(boost::system::error_code error, uint64_t epoch);
  void stop_watching();
  void tell(Interruption what);

  void set_deadline(std::chrono::milliseconds from_now);
  void arm_timer();
  void on_timer(boost::system::error_code error);

  Socket socket_;
  const ServerOptions& options_;
  const Handler& handler_;
  boost::beast::flat_buffer buffer_;

  std::string client_address_;
  Phase phase_ = Phase::kIdle;
  Request request_;
  bool http_1_0_ = false;
  bool keep_alive_ = true;
  bool chunked_ = true;
  Answer answer_ = Answer::kNone;
  bool body_unread_ = false;  ///< the request is answered from its headers alone
  bool closing_ = false;      ///< no further request is read
  bool gone_ = false;         ///< the client no longer reads

  std::function<void(Interruption)> on_interruption_;
  boost::asio::cancellation_signal watch_cancel_;
  uint64_t watch_epoch_ = 0;  ///< tells a wait that was replaced from the one that counts
  bool interrupted_ = false;

  boost::asio::steady_timer timer_;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  bool timer_armed_ = false;
  bool timed_out_ = false;
};

}  // namespace feilun::net
