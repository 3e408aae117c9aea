#include "gateway/gateway.h"

#include "base/ids.h"
#include "gateway/error_reply.h"
#include "gateway/router.h"
#include "net/http_server.h"

namespace feilun::gateway {
namespace {

class HttpGateway final : public Gateway {
 public:
  HttpGateway(GatewayOptions options, const Deployments& deployments, ledger::Ledger& ledger)
      : options_(std::move(options)),
        reply_room_(options_.reply_room),
        services_{.deployments = deployments,
                  .ledger = ledger,
                  .metrics = metrics_,
                  .clock = options_.clock != nullptr ? *options_.clock : system_clock_,
                  .meter = options_.meter,
                  .page = options_.page,
                  .cors_origin = options_.cors_origin,
                  .connections = [this] { return server_->connections(); },
                  .reply_room = reply_room_,
                  .heavy_work = heavy_.get_executor()} {}

  Result<> bind() {
    net::ServerOptions server{
        .listen = options_.listen,
        .threads = options_.io_threads,
        .body_bytes_max = options_.body_bytes_max,
        .stop_grace = options_.stop_grace,
        .wants_body = [this](const net::Request& head) { return wants_body(services_, head); },
        .refusal =
            [this](int status, std::string_view message) {
              metrics_.count_request("unreadable", status);
              net::Response response = protocol_error_reply(status, message);
              response.headers.add("x-request-id", new_id("req"));
              return response;
            }};
    server_ = TRY(net::Server::listen(
        std::move(server), [this](net::Exchange& exchange) { return route(services_, exchange); }));
    return {};
  }

  ~HttpGateway() override { server_.reset(); }

  uint16_t port() const override { return server_->port(); }
  void start() override { server_->start(); }
  void stop() override { server_->stop(); }
  void wait() override { server_->wait(); }
  void run_until_signal() override {
    server_->stop_on_signals();
    server_->start();
    server_->wait();
  }

 private:
  GatewayOptions options_;
  SystemClock system_clock_;
  Metrics metrics_;
  ReplyRoom reply_room_;
  boost::asio::thread_pool heavy_{1};
  Services services_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::open(GatewayOptions options, const Deployments& deployments,
                                               ledger::Ledger& ledger) {
  auto gateway = std::make_unique<HttpGateway>(std::move(options), deployments, ledger);
  TRY(gateway->bind());
  return gateway;
}

}  // namespace feilun::gateway
