// LINK: feilun_net
// Any bytes as a client's whole side of a connection: every request in them is answered or refused, the
// connection ends, and all that comes back is HTTP.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <string>

#include "base/log.h"
#include "net/connection.h"

namespace {

using namespace feilun::net;

boost::asio::awaitable<void> answer(Exchange& exchange) {
  exchange.watch([](Interruption) {});
  const Request& request = exchange.request();
  (void)request.query("a");
  if (request.body.size() % 2 == 0) {
    co_await exchange.reply({.body = request.method + request.target + request.body});
  } else {
    co_await exchange.begin_stream(200, {{"content-type", "text/event-stream"}});
    co_await exchange.write(request.body);
    co_await exchange.end_stream();
  }
}

std::string drained(int socket) {
  std::string all;
  char piece[4096];
  for (ssize_t got = 0; (got = recv(socket, piece, sizeof piece, MSG_DONTWAIT)) > 0;) {
    all.append(piece, static_cast<size_t>(got));
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spdlog::set_level(spdlog::level::off);
  int ends[2];
  if (size > 20'000 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 0;
  (void)send(ends[0], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  shutdown(ends[0], SHUT_WR);

  boost::asio::io_context context(1);
  const ServerOptions options{.header_bytes_max = 4096, .body_bytes_max = 1000};
  const Handler handler = answer;
  Connection::Socket socket(context, {AF_UNIX, SOCK_STREAM}, ends[1]);
  auto connection = std::make_shared<Connection>(std::move(socket), options, handler);
  boost::asio::co_spawn(context, Connection::serve(std::move(connection)), boost::asio::detached);
  context.run();
  const std::string reply = drained(ends[0]);
  close(ends[0]);
  if (!reply.empty() && !reply.starts_with("HTTP/1.1 ")) __builtin_trap();
  return 0;
}
