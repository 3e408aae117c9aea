#include "gateway/clockwork.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <condition_variable>
#include <mutex>

#include "base/temporary_directory.h"
#include "ledger/books.h"
#include "ledger/lots.h"
#include "ledger/open_store.h"
#include "ledger/sealing.h"
#include "net/http_server.h"

namespace feilun::gateway {
namespace {

using ledger::Books;
using ledger::Measure;
using ledger::SpendLimit;
using ledger::State;
using ledger::Webhook;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
namespace asio = boost::asio;

/// Somebody else's server: keeps what it was sent and answers what it is told to.
class Receiver {
 public:
  Receiver() {
    net::ServerOptions options;
    options.listen.port = 0;
    server_ = *net::Server::listen(std::move(options),
                                   [this](net::Exchange& exchange) { return take(this, exchange); });
    server_->start();
  }
  std::string url(std::string_view path = "/hook?from=feilun") const {
    return fmt::format("http://127.0.0.1:{}{}", server_->port(), path);
  }
  void answer_with(int status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  /// Waits until it has been called so often.
  net::Request call(size_t number) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(came_.wait_for(lock, 30s, [&] { return calls_.size() >= number; }));
    return calls_.size() >= number ? calls_[number - 1] : net::Request();
  }
  size_t calls() {
    const std::lock_guard lock(mutex_);
    return calls_.size();
  }

 private:
  static asio::awaitable<void> take(Receiver* self, net::Exchange& exchange) {
    net::Response response;
    {
      const std::lock_guard lock(self->mutex_);
      self->calls_.push_back(exchange.request());
      response.status = self->status_;
    }
    self->came_.notify_all();
    co_await exchange.reply(std::move(response));
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<net::Request> calls_;
  int status_ = 200;
  std::unique_ptr<net::Server> server_;
};

class ClockworkTest : public ::testing::Test {
 protected:
  ClockworkTest() {
    spdlog::set_level(spdlog::level::off);
    open();
    ledger::PriceVersion price;
    price.offering = "nano";
    price.currency = "CNY";
    price.rows = pricing::flat_rows({.input_fresh = Money::pico(300'000)});
    EXPECT_TRUE(ledger_->set_price(price));
    EXPECT_TRUE(ledger_->credit("default", *Money::parse("10"), "CNY", "test", ""));
  }
  ~ClockworkTest() override { clockwork_.reset(); }

  void open() {
    clockwork_.reset();
    ledger_.reset();
    ledger_ = *ledger::Ledger::open({.directory = directory_.path(), .serving = true, .clock = &clock_});
  }
  void start(bool private_webhooks = true) {
    clockwork_ =
        Clockwork::make({.private_webhooks = private_webhooks, .look_every = 2ms, .chores_every = 2ms},
                        *ledger_, metrics_, clock_);
    clockwork_->start();
  }
  Webhook listen(const std::string& url) {
    return ledger_
        ->write<Webhook>(
            [&](Books& books) { return books.set_webhook({.organisation = "default", .url = url}); })
        .value();
  }
  std::string project() { return ledger_->find_project("default").value().id; }
  void alert_at(std::vector<int64_t> percents, int64_t tokens) {
    SpendLimit limit{.scope = project(), .measure = Measure::kTokens, .window_s = 0};
    limit.bound = ledger::Quantity::pico(tokens);
    limit.alerts = std::move(percents);
    limit.hard = false;
    ASSERT_TRUE(ledger_->write<SpendLimit>([&](Books& books) { return books.set_limit(limit); }));
  }
  void use(TokenCount tokens) {
    const std::string id = fmt::format("req_{}", ++requests_);
    ASSERT_TRUE(ledger_->hold_now({.request_id = id,
                                   .key_id = "key_test",
                                   .project_id = project(),
                                   .offering = "nano",
                                   .input_tokens = tokens,
                                   .output_slice = 0}));
    ASSERT_TRUE(ledger_->settle_now(id, {.input_fresh = tokens}, ledger::Outcome::kCompleted));
  }
  int64_t waiting() {
    return ledger_->read<ledger::Outbox>([](State& state) { return ledger::read_outbox(state, {}); })
        .value()
        .waiting;
  }
  /// Waits for what the clockwork's thread does next; it has no other end than being true.
  template <typename Condition>
  static void until(Condition condition) {
    while (!condition()) std::this_thread::sleep_for(1ms);
  }
  std::string metrics() { return metrics_.text({}, 0, {}); }

  TemporaryDirectory directory_;
  ManualClock clock_;
  Metrics metrics_;
  std::unique_ptr<ledger::Ledger> ledger_;
  Receiver receiver_;
  std::unique_ptr<Clockwork> clockwork_;
  int requests_ = 0;
};

TEST_F(ClockworkTest, AnAlertIsPostedOnceSignedWithTheWebhooksSecret) {
  const Webhook webhook = listen(receiver_.url());
  alert_at({50, 100}, 100);
  start();
  use(60);
  const net::Request call = receiver_.call(1);
  EXPECT_EQ(call.method, "POST");
  EXPECT_EQ(call.target, "/hook?from=feilun");
  EXPECT_EQ(call.headers.find("content-type"), "application/json");
  EXPECT_EQ(call.headers.find(ledger::kSignatureHeader),
            ledger::signature_of(webhook.secret, call.body, clock_.wall()));
  EXPECT_THAT(call.body, HasSubstr(R"("percent":50)"));
  until([&] { return waiting() == 0; });
  use(10);  // still above the half, which was told
  use(30);
  EXPECT_THAT(receiver_.call(2).body, HasSubstr(R"("percent":100)"));
  until([&] { return waiting() == 0; });
  EXPECT_EQ(receiver_.calls(), 2u);
  until([&] { return metrics().contains(R"(outcome="delivered"} 2)"); });
  EXPECT_THAT(metrics(), HasSubstr(R"(outcome="failed"} 0)"));
}

TEST_F(ClockworkTest, WhatIsNotTakenComesAgainLaterAndTheSame) {
  listen(receiver_.url());
  alert_at({100}, 10);
  receiver_.answer_with(500);
  start();
  use(10);
  const std::string first = receiver_.call(1).body;
  until([&] { return metrics().contains(R"(outcome="failed"} 1)"); });
  receiver_.answer_with(204);
  clock_.advance(9s);
  use(1);
  EXPECT_EQ(receiver_.calls(), 1u);
  clock_.advance(1s);
  EXPECT_EQ(receiver_.call(2).body, first);
  until([&] { return waiting() == 0; });
}

TEST_F(ClockworkTest, WhatWaitsSurvivesARestart) {
  listen(receiver_.url());
  alert_at({100}, 10);
  use(10);
  EXPECT_EQ(waiting(), 1);
  open();
  start();
  EXPECT_THAT(receiver_.call(1).body, HasSubstr("limit.alert"));
  until([&] { return waiting() == 0; });
}

TEST_F(ClockworkTest, OneThatHangsDelaysNoOther) {
  // It takes connections and never answers: nobody accepts from its queue.
  asio::io_context context;
  asio::ip::tcp::acceptor silent(context, {asio::ip::address_v4::loopback(), 0});
  listen(fmt::format("http://127.0.0.1:{}/", silent.local_endpoint().port()));
  listen(receiver_.url());
  alert_at({10, 20, 30}, 10);
  start();
  use(10);
  for (size_t i = 1; i <= 3; ++i) receiver_.call(i);
  until([&] { return waiting() == 3; });
}

TEST_F(ClockworkTest, PrivateAddressesAreNotCalledUnlessToldSo) {
  listen(receiver_.url());
  alert_at({100}, 10);
  start(false);
  use(10);
  until([&] { return metrics().contains(R"(outcome="failed"} 1)"); });
  EXPECT_EQ(receiver_.calls(), 0u);
}

TEST_F(ClockworkTest, LotsThatExpireBecomeBreakageByThemselves) {
  ledger::Lot lot{.kind = ledger::LotKind::kCredit, .unit = "CNY", .amount = *Money::parse("5")};
  lot.expires = clock_.wall() + 1h;
  ASSERT_TRUE(
      ledger_->write<ledger::LotBalance>([&](Books& books) { return books.grant("default", lot, "test"); }));
  start();
  clock_.advance(1h);
  until([&] {
    return ledger_->read<Money>([](State& state) { return ledger::account(state, "breakage", "CNY"); }) ==
           *Money::parse("5");
  });
}

TEST_F(ClockworkTest, OldSegmentsAreArchivedByThemselvesWhereThatIsAskedFor) {
  use(1);
  const auto store = ledger::open_store({.directory = directory_.path()}).value();
  ASSERT_TRUE(ledger::seal_oldest(*store, {.run = 2, .kept = 1}).value());
  clockwork_ = Clockwork::make({.archive_after = 1, .chores_every = 2ms}, *ledger_, metrics_, clock_);
  clockwork_->start();
  clock_.advance(24h * 62);
  until([&] { return std::filesystem::exists(directory_ / "archive" / "B2SUMS"); });
}

}  // namespace
}  // namespace feilun::gateway
