#include "net/http_post.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "net/http_server.h"

namespace feilun::net {
namespace {

namespace asio = boost::asio;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

class HttpPostTest : public ::testing::Test {
 protected:
  HttpPostTest() {
    ServerOptions options;
    options.listen.port = 0;
    server_ =
        *Server::listen(std::move(options), [this](Exchange& exchange) { return answer(this, exchange); });
    server_->start();
  }
  static asio::awaitable<void> answer(HttpPostTest* self, Exchange& exchange) {
    self->seen_ = exchange.request();
    Response response{.status = exchange.request().path() == "/away" ? 302 : 202, .body = "thanks"};
    if (response.status == 302) response.headers.add("location", "/elsewhere");
    co_await exchange.reply(std::move(response));
  }
  std::string url(std::string_view path) const {
    return fmt::format("http://localhost:{}{}", server_->port(), path);
  }

  Request seen_;
  std::unique_ptr<Server> server_;
};

TEST_F(HttpPostTest, SendsTheBodyAndGivesTheStatus) {
  const auto status = post_now({.url = url("/hook?a=b%20c"),
                                .headers = {{"x-mine", "1"}},
                                .body = "hello",
                                .private_addresses = true});
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(*status, 202);
  EXPECT_EQ(seen_.target, "/hook?a=b%20c");
  EXPECT_EQ(seen_.body, "hello");
  EXPECT_EQ(seen_.headers.find("x-mine"), "1");
  EXPECT_EQ(seen_.headers.find("host"), fmt::format("localhost:{}", server_->port()));
}

TEST_F(HttpPostTest, FollowsNoRedirect) {
  EXPECT_EQ(post_now({.url = url("/away"), .private_addresses = true}).value(), 302);
  EXPECT_EQ(seen_.target, "/away");
}

TEST_F(HttpPostTest, ConnectsToNoPrivateAddressWhateverItIsCalled) {
  for (const std::string& to : {url("/"), fmt::format("http://127.0.0.1:{}/", server_->port()),
                                fmt::format("http://[::1]:{}/", server_->port()),
                                fmt::format("http://[::ffff:127.0.0.1]:{}/", server_->port())}) {
    const auto status = post_now({.url = to});
    ASSERT_FALSE(status) << to;
    EXPECT_EQ(status.error().code, ErrorCode::kPermissionDenied) << status.error().message;
  }
  EXPECT_TRUE(seen_.method.empty());
}

TEST_F(HttpPostTest, WaitsNoLongerThanItIsTold) {
  asio::io_context context;
  asio::ip::tcp::acceptor silent(context, {asio::ip::address_v4::loopback(), 0});
  for (const char* scheme : {"http", "https"}) {
    const auto status =
        post_now({.url = fmt::format("{}://127.0.0.1:{}/", scheme, silent.local_endpoint().port()),
                  .private_addresses = true,
                  .timeout = 50ms});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kUnavailable) << status.error().message;
  }
}

TEST_F(HttpPostTest, SaysWhatIsNoUrl) {
  for (const char* text :
       {"", "example.com", "ftp://example.com/", "http://", "https:///path", "http://a b/"}) {
    const auto status = post_now({.url = text});
    ASSERT_FALSE(status) << text;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

TEST_F(HttpPostTest, TrustsNoPlainServerOnHttps) {
  const auto status =
      post_now({.url = fmt::format("HTTPS://127.0.0.1:{}/", server_->port()), .private_addresses = true});
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("no trusted connection"));
}

}  // namespace
}  // namespace feilun::net
