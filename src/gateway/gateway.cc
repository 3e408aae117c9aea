#include "gateway/gateway.h"

#include "base/ids.h"
#include "gateway/error_reply.h"
#include "gateway/router.h"
#include "net/http_server.h"

namespace feilun::gateway {
namespace {

GatewayOptions with_clock(GatewayOptions options) {
  if (options.meter.clock == nullptr) options.meter.clock = options.clock;
  return options;
}

/// How many may wait for the ledger's reads at a time; those that have money waiting do it in the writer.
constexpr size_t kLedgerThreads = 4;

class HttpGateway final : public Gateway {
 public:
  HttpGateway(GatewayOptions options, const Deployments& deployments, ledger::Ledger& ledger)
      : options_(with_clock(std::move(options))),
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
                  .heavy_work = heavy_.get_executor(),
                  .admin_work = admin_.get_executor(),
                  .ledger_work = ledger_work_.get_executor(),
                  .running_claims = running_claims_,
                  .login_work = logins_.get_executor(),
                  .login_guard = login_guard_,
                  .trusted_proxies = options_.trusted_proxies,
                  .private_webhooks = options_.clockwork && options_.clockwork->private_webhooks} {}

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

  ~HttpGateway() override {
    clockwork_.reset();
    server_.reset();
  }

  uint16_t port() const override { return server_->port(); }
  void start() override {
    server_->start();
    if (clockwork_ || !options_.clockwork) return;
    clockwork_ = Clockwork::make(*options_.clockwork, services_.ledger, metrics_, services_.clock);
    clockwork_->start();
  }
  void stop() override { server_->stop(); }
  void wait() override { server_->wait(); }
  void run_until_signal() override {
    server_->stop_on_signals();
    start();
    server_->wait();
  }

 private:
  GatewayOptions options_;
  SystemClock system_clock_;
  Metrics metrics_;
  ReplyRoom reply_room_;
  boost::asio::thread_pool heavy_{1};
  boost::asio::thread_pool admin_{1};
  boost::asio::thread_pool logins_{1};
  boost::asio::thread_pool ledger_work_{kLedgerThreads};
  RunningClaims running_claims_;
  LoginGuard login_guard_;
  Services services_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<Clockwork> clockwork_;
};

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::open(GatewayOptions options, const Deployments& deployments,
                                               ledger::Ledger& ledger) {
  auto gateway = std::make_unique<HttpGateway>(std::move(options), deployments, ledger);
  TRY(gateway->bind());
  return gateway;
}

}  // namespace feilun::gateway
