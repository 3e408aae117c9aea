#include "net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <latch>
#include <thread>

#include "net/http_client.h"
#include "net/raw_client.h"

namespace feilun::net {
namespace {

namespace asio = boost::asio;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Says what it was asked; /stream counts to five; /wait waits until it is interrupted; /throw throws.
struct EchoServer {
  static asio::awaitable<void> handle(EchoServer* self, Exchange& exchange) {
    const std::string path(exchange.request().path());
    if (path == "/stream") return count(exchange);
    if (path == "/wait") return wait(self, exchange);
    if (path == "/throw") return explode();
    if (path == "/silent") return nothing();
    return echo(exchange);
  }
  static asio::awaitable<void> echo(Exchange& exchange) {
    const Request& request = exchange.request();
    Response response;
    response.headers.add("content-type", "text/plain");
    response.body = fmt::format("{} {} {}", request.method, request.target, request.body);
    co_await exchange.reply(std::move(response));
  }
  static asio::awaitable<void> count(Exchange& exchange) {
    co_await exchange.begin_stream(200, {{"content-type", "text/event-stream"}});
    for (int i = 1; i <= 5; ++i) {
      std::string chunk;
      append_sse_data(chunk, std::to_string(i));
      co_await exchange.write(std::move(chunk));
    }
    co_await exchange.end_stream();
  }
  static asio::awaitable<void> wait(EchoServer* self, Exchange& exchange) {
    asio::steady_timer bell(exchange.executor(), asio::steady_timer::time_point::max());
    std::optional<Interruption> why;
    exchange.watch([&](Interruption interruption) {
      why = interruption;
      bell.cancel();
    });
    self->waiting.count_down();
    while (!why) co_await bell.async_wait(asio::as_tuple(asio::use_awaitable));
    self->interrupted.set_value(*why);
    co_await exchange.reply({.body = "interrupted"});
  }
  static asio::awaitable<void> explode() {
    throw std::runtime_error("handler trouble");
    co_return;
  }
  static asio::awaitable<void> nothing() { co_return; }

  explicit EchoServer(ServerOptions options = {}) {
    spdlog::set_level(spdlog::level::off);
    options.listen.port = 0;
    server =
        *Server::listen(std::move(options), [this](Exchange& exchange) { return handle(this, exchange); });
    server->start();
  }
  RawClient client() const { return RawClient(server->port()); }

  std::latch waiting{1};
  std::promise<Interruption> interrupted;
  std::unique_ptr<Server> server;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(HttpServer, AnswersAndKeepsTheConnection) {
  EchoServer echo;
  RawClient client = echo.client();
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    const RawReply reply = client.read_reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "GET /a ");
  }
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  EchoServer echo;
  RawClient client = echo.client();
  std::string all;
  for (int i = 0; i < 50; ++i) {
    all += fmt::format("POST /{} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd", i);
    if (i % 10 == 3) all += "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
  }
  client.send(all);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(client.read_reply().body, fmt::format("POST /{} abcd", i));
    if (i % 10 == 3)
      EXPECT_EQ(client.read_reply().body, "data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\ndata: 5\n\n");
  }
}

TEST(HttpServer, ReadsRequestsByteByByte) {
  EchoServer echo;
  RawClient client = echo.client();
  for (const char c : std::string("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz")) {
    client.send({&c, 1});
  }
  EXPECT_EQ(client.read_reply().body, "POST /b xyz");
}

TEST(HttpServer, ReadsChunkedBodies) {
  EchoServer echo;
  RawClient client = echo.client();
  client.send(
      "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_reply().body, "POST /c abcde");
  client.send(kGet);
  EXPECT_EQ(client.read_reply().status, 200);
}

TEST(HttpServer, SendsContinueWhenExpected) {
  EchoServer echo;
  RawClient client = echo.client();
  client.send("POST /d HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue"));
  client.send("hi");
  EXPECT_EQ(client.read_reply().body, "POST /d hi");
}

TEST(HttpServer, RefusesABodyOverTheLimitBeforeReadingIt) {
  EchoServer echo({.body_bytes_max = 100});
  for (const char* head :
       {"Content-Length: 101\r\n\r\n", "Expect: 100-continue\r\nContent-Length: 999999999999\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nff\r\n"}) {
    RawClient client = echo.client();
    client.send(std::string("POST / HTTP/1.1\r\nHost: x\r\n") + head + std::string(300, 'x'));
    const RawReply reply = client.read_reply();
    EXPECT_EQ(reply.status, 413) << head;
    EXPECT_TRUE(client.at_end());
  }
}

TEST(HttpServer, TakesABodyOfExactlyTheLimit) {
  EchoServer echo({.body_bytes_max = 100});
  RawClient client = echo.client();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x'));
  EXPECT_EQ(client.read_reply().status, 200);
}

TEST(HttpServer, RefusesHeadersOverTheLimit) {
  EchoServer echo;
  RawClient client = echo.client();
  client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(70'000, 'a') + "\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 431);
  EXPECT_TRUE(client.at_end());
}

TEST(HttpServer, AnswersGarbageWith400AndCloses) {
  EchoServer echo;
  for (const std::string& garbage :
       {std::string("hello\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
        std::string("GET / HTTP/1.1\r\nHost x\r\n\r\n"), std::string("GET / HTTP/1.1\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
        std::string(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")}) {
    RawClient client = echo.client();
    client.send(garbage);
    client.finish_sending();
    const RawReply reply = client.read_reply();
    EXPECT_EQ(reply.status, 400) << garbage;
    EXPECT_TRUE(client.at_end());
  }
}

TEST(HttpServer, RefusesOtherVersionsAndExpectations) {
  EchoServer echo;
  RawClient old = echo.client();
  old.send("GET / HTTP/2.0\r\nHost: x\r\n\r\n");
  EXPECT_EQ(old.read_reply().status, 505);
  RawClient odd = echo.client();
  odd.send("GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n");
  EXPECT_EQ(odd.read_reply().status, 417);
}

TEST(HttpServer, SurvivesClientsThatLeaveInTheMiddle) {
  EchoServer echo;
  const std::string whole = "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789";
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    RawClient client = echo.client();
    client.send(std::string_view(whole).substr(0, cut));
  }
  RawClient client = echo.client();
  client.send(whole);
  EXPECT_EQ(client.read_reply().status, 200);
}

TEST(HttpServer, TimesOutSlowHeadersBodiesAndIdleConnections) {
  EchoServer echo({.idle_timeout = std::chrono::milliseconds(50),
                   .header_timeout = std::chrono::milliseconds(50),
                   .body_timeout = std::chrono::milliseconds(50)});
  RawClient slow_header = echo.client();
  slow_header.send("GET / HT");
  EXPECT_EQ(slow_header.read_reply().status, 408);
  RawClient slow_body = echo.client();
  slow_body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123");
  EXPECT_EQ(slow_body.read_reply().status, 408);
  RawClient idle = echo.client();
  EXPECT_TRUE(idle.at_end());
}

TEST(HttpServer, HeadHasTheHeadersOfAGetAndNoBody) {
  EchoServer echo;
  RawClient client = echo.client();
  client.send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("content-length: 8"));
  client.send(kGet);
  EXPECT_EQ(client.read_reply().body, "GET /a ");
}

TEST(HttpServer, ClosesWhenAskedAndForHttp10) {
  EchoServer echo;
  RawClient close = echo.client();
  close.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(close.read_reply().status, 200);
  EXPECT_TRUE(close.at_end());
  RawClient old = echo.client();
  old.send("GET /stream HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.read_to_end(), HasSubstr("data: 5\n\n"));
}

TEST(HttpServer, AHandlerThatThrowsOrForgetsIsA500) {
  EchoServer echo;
  for (const char* path : {"/throw", "/silent"}) {
    RawClient client = echo.client();
    client.send(fmt::format("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", path));
    EXPECT_EQ(client.read_reply().status, 500);
  }
}

TEST(HttpServer, TellsAWaitingHandlerThatTheClientLeft) {
  EchoServer echo;
  {
    RawClient client = echo.client();
    client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    echo.waiting.wait();
  }
  EXPECT_EQ(echo.interrupted.get_future().get(), Interruption::kClientGone);
}

TEST(HttpServer, AHalfClosedClientCountsAsGoneButGetsLastWords) {
  EchoServer echo;
  RawClient client = echo.client();
  client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  echo.waiting.wait();
  client.finish_sending();
  EXPECT_EQ(client.read_reply().body, "interrupted");
}

TEST(HttpServer, APipelinedRequestIsNotADeparture) {
  EchoServer echo({.stop_grace = std::chrono::milliseconds(0)});
  RawClient client = echo.client();
  client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  echo.waiting.wait();
  client.send(kGet);
  auto interrupted = echo.interrupted.get_future();
  EXPECT_EQ(interrupted.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  echo.server->stop();
  EXPECT_EQ(interrupted.get(), Interruption::kServerStopping);
}

TEST(HttpServer, StopLetsARunningRequestEndAndIsIdempotent) {
  EchoServer echo({.threads = 2, .stop_grace = std::chrono::milliseconds(20)});
  RawClient busy = echo.client();
  busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  echo.waiting.wait();
  RawClient idle = echo.client();
  idle.send(kGet);
  EXPECT_EQ(idle.read_reply().status, 200);
  for (int i = 0; i < 3; ++i) echo.server->stop();
  const RawReply reply = busy.read_reply();
  EXPECT_EQ(reply.body, "interrupted");
  EXPECT_TRUE(idle.at_end());
  echo.server->wait();
  echo.server->wait();
  EXPECT_EQ(echo.server->connections(), 0);
}

TEST(HttpServer, ABusyPortIsOneClearSentence) {
  EchoServer echo;
  ServerOptions options;
  options.listen.port = echo.server->port();
  auto second = Server::listen(options, [](Exchange& exchange) { return EchoServer::echo(exchange); });
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message,
              HasSubstr(fmt::format("127.0.0.1:{} is already in use", echo.server->port())));
}

TEST(HttpServer, ServesManyClientsOnSeveralThreads) {
  EchoServer echo({.threads = 3});
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      RawClient client = echo.client();
      for (int i = 0; i < 100; ++i) {
        client.send(fmt::format("GET /{}/{} HTTP/1.1\r\nHost: x\r\n\r\n", t, i));
        if (client.read_reply().body == fmt::format("GET /{}/{} ", t, i)) ++right;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 800);
}

TEST(HttpClient, GetsPostsAndStreams) {
  EchoServer echo;
  const auto client =
      HttpClient::create({.base_url = fmt::format("http://127.0.0.1:{}/base/", echo.server->port())});
  ASSERT_TRUE(client);
  EXPECT_EQ(client->get("/x")->body, "GET /base/x ");
  EXPECT_EQ(client->post("/y", "{}")->body, "POST /base/y {}");
  const auto direct =
      HttpClient::create({.base_url = fmt::format("http://127.0.0.1:{}", echo.server->port())});
  std::vector<std::string> seen;
  const auto streamed = direct->post_stream("/stream", "{}", [&](const SseEvent& event) {
    seen.push_back(event.data);
    return true;
  });
  EXPECT_EQ(streamed->status, 200);
  EXPECT_THAT(seen, ::testing::ElementsAre("1", "2", "3", "4", "5"));
}

TEST(HttpClient, SaysWhatIsWrong) {
  EXPECT_FALSE(HttpClient::create({.base_url = "https://127.0.0.1"}));
  EXPECT_FALSE(HttpClient::create({.base_url = "nonsense"}));
  uint16_t closed_port = 0;
  {
    EchoServer echo;
    closed_port = echo.server->port();
  }
  const auto client = HttpClient::create({.base_url = fmt::format("http://127.0.0.1:{}", closed_port)});
  const auto reply = client->get("/");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
}

TEST(Sse, CutsEventsAtAnyBoundary) {
  const std::string text = ": comment\nevent: a\ndata: 1\r\ndata:2\r\n\r\ndata\n\nid: 7\n\ndata: x\r\r";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    SseParser parser;
    auto events = parser.feed(std::string_view(text).substr(0, cut));
    for (auto& event : parser.feed(std::string_view(text).substr(cut))) events.push_back(std::move(event));
    ASSERT_EQ(events.size(), 3u) << cut;
    EXPECT_EQ(events[0].event, "a");
    EXPECT_EQ(events[0].data, "1\n2");
    EXPECT_EQ(events[1].data, "");
    EXPECT_EQ(events[2].data, "x");
  }
}

TEST(ListenAddress, ReadsTheFormsPeopleWrite) {
  EXPECT_EQ(parse_listen_address("127.0.0.1:80")->to_string(), "127.0.0.1:80");
  EXPECT_EQ(parse_listen_address("[::1]:0")->to_string(), "[::1]:0");
  EXPECT_EQ(parse_listen_address("localhost:1")->host, "127.0.0.1");
  for (const char* wrong :
       {"", "80", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "no.such:80", "1.2.3.4:8 "}) {
    EXPECT_FALSE(parse_listen_address(wrong)) << wrong;
  }
}

TEST(HttpMessage, ReadsQueryParameters) {
  Request request{.target = "/p?a=1&name=a%20b%2Fc&bad=%zz&flag"};
  EXPECT_EQ(request.path(), "/p");
  EXPECT_EQ(request.query("name"), "a b/c");
  EXPECT_EQ(request.query("flag"), "");
  EXPECT_EQ(request.query("bad"), std::nullopt);
  EXPECT_EQ(request.query("none"), std::nullopt);
}

TEST(HttpServer, SurvivesATrailerThatIsTooLarge) {
  EchoServer echo;
  for (const size_t size : {size_t{65'534}, size_t{70'000}, size_t{300'000}}) {
    RawClient client = echo.client();
    client.send("GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " +
                std::string(size, 'a') + "\r\n\r\n");
    EXPECT_EQ(client.read_reply().status, 431) << size;
    EXPECT_TRUE(client.at_end());
  }
  RawClient client = echo.client();
  client.send(kGet);
  EXPECT_EQ(client.read_reply().status, 200);
}

TEST(HttpServer, ReadsATrailerOfUsualSize) {
  EchoServer echo;
  RawClient client = echo.client();
  client.send("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n");
  EXPECT_EQ(client.read_reply().body, "POST /c a");
}

TEST(HttpServer, TakesNoTransferCodingButChunked) {
  EchoServer echo;
  for (const char* coding :
       {"gzip", "chunked, chunked", "chunked, gzip", "xchunked", "gzip, chunked", "identity"}) {
    RawClient client = echo.client();
    client.send(fmt::format("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {}\r\n\r\n", coding) +
                std::string(kGet));
    EXPECT_THAT(client.read_reply().status, ::testing::AnyOf(400, 501)) << coding;
    EXPECT_TRUE(client.at_end()) << coding;
  }
  for (const char* head :
       {"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"}) {
    RawClient client = echo.client();
    client.send(head + std::string("0\r\n\r\n") + std::string(kGet));
    EXPECT_THAT(client.read_reply().status, ::testing::AnyOf(400, 501)) << head;
    EXPECT_TRUE(client.at_end()) << head;
  }
}

TEST(HttpServer, ReadsNoBodyThatIsNotWanted) {
  EchoServer echo({.wants_body = [](const Request& head) { return head.path() != "/a"; }});
  RawClient client = echo.client();
  client.send("POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 800000\r\n\r\n");
  const RawReply reply = client.read_reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "POST /a ");
  EXPECT_THAT(reply.head, HasSubstr("connection: close"));
  RawClient wanted = echo.client();
  wanted.send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(wanted.read_reply().body, "POST /b hi");
}

TEST(HttpServer, TellsAClientThatWritesItsWholeBodyThatItIsTooLarge) {
  EchoServer echo;
  RawClient client = echo.client();
  const size_t size = 9 * 1024 * 1024;
  client.send(fmt::format("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", size));
  EXPECT_TRUE(client.send(std::string(size, 'a')));
  EXPECT_EQ(client.read_reply().status, 413);
}

TEST(HttpServer, UnderstandsAbsoluteTargets) {
  EchoServer echo;
  RawClient client = echo.client();
  client.send("GET http://x:80/a?b=c HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_reply().body, "GET /a?b=c ");
  client.send("GET HTTP://x HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_reply().body, "GET / ");
}

TEST(HttpServer, SkipsEmptyLinesBeforeARequest) {
  EchoServer echo;
  RawClient client = echo.client();
  client.send("\r\n\r\n" + std::string(kGet) + "\r\n" + std::string(kGet));
  EXPECT_EQ(client.read_reply().body, "GET /a ");
  EXPECT_EQ(client.read_reply().body, "GET /a ");
}

TEST(HttpServer, RefusesEncodedBodies) {
  EchoServer echo;
  RawClient client = echo.client();
  client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(client.read_reply().status, 415);
  RawClient plain = echo.client();
  plain.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Encoding: identity\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(plain.read_reply().status, 200);
}

TEST(HttpServer, SaysThatLinesEndWithCrLf) {
  EchoServer echo;
  for (const char* text : {"GET /a HTTP/1.1\nHost: x\n\n", "GET /a HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
                           "GET /a HTTP/1.1\nHost: x\r\n\r\n"}) {
    RawClient client = echo.client();
    client.send(text);
    const RawReply reply = client.read_reply();
    EXPECT_EQ(reply.status, 400) << text;
    EXPECT_THAT(reply.body, HasSubstr("CR LF")) << text;
  }
}

}  // namespace
}  // namespace feilun::net
