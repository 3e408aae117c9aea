#include "net/http_server.h"

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "base/check.h"
#include "base/log.h"
#include "net/connection.h"

namespace feilun::net {
namespace asio = boost::asio;
namespace {

using asio::ip::tcp;
using boost::system::error_code;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
/// After the grace time, how long an interrupted handler may take to write its last words.
constexpr std::chrono::milliseconds kLastWords{5000};

/// One thread's share: its io_context and the connections that live there.
struct Worker {
  Worker() : context(1), work(asio::make_work_guard(context)) {}
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::unordered_set<std::shared_ptr<Connection>> connections;  ///< touched on this thread only
  std::thread thread;
};

/// What one connection throws must not end the others.
void run_to_the_end(asio::io_context& context) {
  while (true) {
    try {
      context.run();
      return;
    } catch (const std::exception& e) {
      spdlog::error("a network thread caught what nobody else did: {}", e.what());
    }
  }
}

class AsioServer final : public Server {
 public:
  AsioServer(ServerOptions options, Handler handler)
      : options_(std::move(options)), handler_(std::move(handler)) {
    for (int i = 0; i < std::max(1, options_.threads); ++i) workers_.push_back(std::make_unique<Worker>());
    acceptor_.emplace(workers_[0]->context);
    signals_.emplace(workers_[0]->context);
    grace_.emplace(workers_[0]->context);
  }

  ~AsioServer() override {
    stop();
    wait();
  }

  Result<> bind();
  uint16_t port() const override { return port_; }
  void start() override;
  void stop() override;
  void stop_on_signals() override;
  void wait() override;
  int connections() const override { return connection_count_; }

 private:
  static asio::awaitable<void> accept(AsioServer* self);
  static asio::awaitable<void> run(AsioServer* self, Worker* worker, std::shared_ptr<Connection> connection);
  void on_signal(error_code error);
  void begin_stop();
  void end_grace();
  void for_each_connection(void (Connection::*action)());
  void let_contexts_end();

  ServerOptions options_;
  Handler handler_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<tcp::acceptor> acceptor_;
  std::optional<asio::signal_set> signals_;
  std::optional<asio::steady_timer> grace_;
  uint16_t port_ = 0;
  std::atomic<int> connection_count_{0};
  std::atomic<bool> started_{false};
  std::atomic<bool> stop_asked_{false};
  bool stopping_ = false;    ///< on worker 0's thread
  bool grace_over_ = false;  ///< on worker 0's thread
  std::mutex join_;
};

Result<> AsioServer::bind() {
  error_code error;
  const tcp::endpoint endpoint(asio::ip::make_address(options_.listen.host, error), options_.listen.port);
  if (error) return fail(ErrorCode::kInvalidArgument, "'{}' is not an address", options_.listen.host);
  acceptor_->open(endpoint.protocol(), error);
  if (!error) acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_->bind(endpoint, error);
  if (!error) acceptor_->listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    return fail(ErrorCode::kUnavailable,
                "{} is already in use: another program listens there; choose another port",
                options_.listen.to_string());
  }
  if (error) {
    return fail(ErrorCode::kUnavailable, "cannot listen on {}: {}", options_.listen.to_string(),
                error.message());
  }
  port_ = acceptor_->local_endpoint().port();
  return {};
}

void AsioServer::start() {
  if (started_.exchange(true)) return;
  asio::co_spawn(workers_[0]->context, accept(this), asio::detached);
  for (auto& worker : workers_) {
    worker->thread = std::thread([context = &worker->context] { run_to_the_end(*context); });
  }
}

asio::awaitable<void> AsioServer::accept(AsioServer* self) {
  for (size_t next = 0; self->acceptor_->is_open(); next = (next + 1) % self->workers_.size()) {
    Worker* worker = self->workers_[next].get();
    auto [error, socket] = co_await self->acceptor_->async_accept(worker->context, kAwait);
    if (error) {
      if (!self->acceptor_->is_open() || error == asio::error::operation_aborted) co_return;
      // Out of file descriptors, most likely: wait for connections to end instead of spinning.
      spdlog::warn("cannot accept a connection: {}", error.message());
      asio::steady_timer pause(self->workers_[0]->context, std::chrono::milliseconds(100));
      co_await pause.async_wait(kAwait);
      continue;
    }
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    ++self->connection_count_;
    auto connection =
        std::make_shared<Connection>(Connection::Socket(std::move(socket)), self->options_, self->handler_);
    asio::co_spawn(worker->context, run(self, worker, std::move(connection)), asio::detached);
  }
}

asio::awaitable<void> AsioServer::run(AsioServer* self, Worker* worker,
                                      std::shared_ptr<Connection> connection) {
  worker->connections.insert(connection);
  if (self->stop_asked_) connection->drain();
  co_await Connection::serve(connection);
  worker->connections.erase(connection);
  if (--self->connection_count_ == 0 && self->stop_asked_) {
    asio::post(self->workers_[0]->context, [self] { self->let_contexts_end(); });
  }
}

void AsioServer::stop() {
  if (stop_asked_.exchange(true)) return;
  asio::post(workers_[0]->context, [this] { begin_stop(); });
}

void AsioServer::stop_on_signals() {
  signals_->add(SIGTERM);
  signals_->add(SIGINT);
  signals_->async_wait([this](error_code error, int) { on_signal(error); });
}

void AsioServer::on_signal(error_code error) {
  if (error) return;
  if (!stop_asked_) {
    spdlog::info("stopping: running requests have {} s to end", options_.stop_grace.count() / 1000);
    stop();
    signals_->async_wait([this](error_code e, int) { on_signal(e); });
  } else {
    end_grace();
  }
}

void AsioServer::begin_stop() {
  stopping_ = true;
  error_code ignored;
  acceptor_->close(ignored);
  for_each_connection(&Connection::drain);
  if (connection_count_ == 0) return let_contexts_end();
  grace_->expires_after(options_.stop_grace);
  grace_->async_wait([this](error_code error) {
    if (!error) end_grace();
  });
}

void AsioServer::end_grace() {
  if (grace_over_ || !stopping_) return;
  grace_over_ = true;
  for_each_connection(&Connection::interrupt);
  grace_->expires_after(kLastWords);
  grace_->async_wait([this](error_code error) {
    if (!error) for_each_connection(&Connection::abort);
  });
}

void AsioServer::for_each_connection(void (Connection::*action)()) {
  for (auto& worker : workers_) {
    asio::post(worker->context, [worker = worker.get(), action] {
      for (const auto& connection : worker->connections) ((*connection).*action)();
    });
  }
}

void AsioServer::let_contexts_end() {
  if (!stopping_) return;
  grace_->cancel();
  error_code ignored;
  signals_->cancel(ignored);
  for (auto& worker : workers_) worker->work.reset();
}

void AsioServer::wait() {
  std::lock_guard lock(join_);
  for (auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(ServerOptions options, Handler handler) {
  auto server = std::make_unique<AsioServer>(std::move(options), std::move(handler));
  TRY(server->bind());
  return server;
}

}  // namespace feilun::net
