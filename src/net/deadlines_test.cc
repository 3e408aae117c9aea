// What a server's deadlines are worth against a client that never lets it wait.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <string>

#include "net/http_server.h"
#include "net/raw_client.h"

namespace feilun::net {
namespace {

using namespace std::chrono_literals;

boost::asio::awaitable<void> answer(Exchange& exchange) {
  co_await exchange.reply({});
}

TEST(Deadlines, HoldForAClientThatFloodsUntilTheyAreOverAndThenSendsNoMore) {
  ServerOptions options{.listen = {.port = 0}};
  options.body_bytes_max = size_t{1} << 32;
  options.body_timeout = 30ms;
  const auto server = *Server::listen(std::move(options), answer);
  server->start();
  const std::string piece(4096, 'x');
  for (int i = 0; i < 20; ++i) {
    RawClient client(server->port());
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000000\r\n\r\n");
    const auto until = std::chrono::steady_clock::now() + 45ms;
    while (std::chrono::steady_clock::now() < until && client.send(piece)) {
    }
    auto status = std::async(std::launch::async, [&] { return client.read_reply().status; });
    EXPECT_EQ(status.wait_for(1s), std::future_status::ready) << "client " << i;
    client.finish_sending();
    EXPECT_EQ(status.get(), 408) << "client " << i;
  }
}

}  // namespace
}  // namespace feilun::net
