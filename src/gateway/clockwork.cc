#include "gateway/clockwork.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <map>
#include <string>
#include <thread>

#include "base/log.h"
#include "gateway/webhook_call.h"
#include "ledger/books.h"
#include "ledger/chores.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace {

using ledger::Books;
using ledger::Notification;
using ledger::Outbox;
using ledger::State;

constexpr size_t kCallsAtOnce = 64;

class ThreadClockwork final : public Clockwork {
 public:
  ThreadClockwork(ClockworkOptions options, ledger::Ledger& ledger, Metrics& metrics, const Clock& clock)
      : options_(options), ledger_(ledger), metrics_(metrics), clock_(clock) {}

  ~ThreadClockwork() override {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }

  void start() override {
    asio::co_spawn(context_, every(options_.look_every, &ThreadClockwork::look), asio::detached);
    asio::co_spawn(context_, every(options_.chores_every, &ThreadClockwork::do_chores), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }

 private:
  asio::awaitable<void> every(std::chrono::milliseconds pause, void (ThreadClockwork::*act)()) {
    asio::steady_timer timer(context_);
    for (;;) {
      (this->*act)();
      timer.expires_after(pause);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }

  /// Whether it is this gateway's turn to do what one of them must.
  bool leads() {
    return ledger_.write<bool>([](Books& books) { return books.leads(); }).value_or(false);
  }

  void look() {
    auto outbox =
        ledger_.read<Outbox>([&](State& state) { return ledger::read_outbox(state, clock_.wall()); });
    if (!outbox) return tell("the outbox cannot be read", outbox.error());
    metrics_.set_deliveries_waiting(outbox->waiting);
    due_.assign(std::move_iterator(outbox->due.begin()), std::move_iterator(outbox->due.end()));
    std::erase_if(due_, [&](const Notification& one) {
      const auto called = called_.find(one.webhook.id);
      return called != called_.end() && called->second == one.alert.sequence;
    });
    if (!due_.empty() && leads()) call_due();
  }

  /// Each webhook with the first of what is due for it.
  void call_due() {
    for (auto one = due_.begin(); one != due_.end() && called_.size() < kCallsAtOnce;) {
      if (!called_.emplace(one->webhook.id, one->alert.sequence).second) {
        ++one;
        continue;
      }
      asio::co_spawn(context_, call(std::move(*one)), asio::detached);
      one = due_.erase(one);
    }
  }

  asio::awaitable<void> call(Notification notification) {
    const WebhookCall how{.private_addresses = options_.private_webhooks,
                          .timeout = options_.delivery_timeout};
    const auto status = co_await net::post(
        webhook_message(notification.webhook, ledger::body_of(notification.alert), clock_.wall(), how));
    const bool delivered = status && took_message(*status);
    if (!delivered) {
      spdlog::warn("the webhook {} did not take alert_{} at try {}: {}", notification.webhook.id,
                   notification.alert.sequence, notification.tries + 1,
                   status ? fmt::format("it answered {}", *status) : status.error().message);
    }
    const auto written =
        ledger_.write<void>([&](Books& books) { return books.notified(notification, delivered); });
    called_.erase(notification.webhook.id);
    if (!written) co_return tell("a notification stays in the outbox", written.error());
    const bool again = ledger::next_try(notification.tries + 1, clock_.wall()) != WallTime::max();
    metrics_.count_delivery(delivered ? "delivered" : again ? "failed" : "given_up");
    if (!delivered) co_return;
    if (due_.empty()) {
      look();  // the outbox may have more than was taken
    } else {
      call_due();
    }
  }

  void do_chores() {
    if (!leads()) return;
    const WallTime now = clock_.wall();
    // What looks at every buyer, and at every segment, is asked once an hour.
    const auto hour = std::chrono::floor<std::chrono::hours>(now);
    ledger::ChoreOptions due;
    if (hour != looked_) due = {.invoices = options_.invoices, .archive_after = options_.archive_after};
    const auto done = ledger::do_chores(ledger_, due, now);
    if (!done) {
      if (done.error().code != ErrorCode::kUnavailable) looked_ = hour;
      return tell("not all that is due could be done", done.error());
    }
    if (done->segments_archived < ledger::kSegmentsAtOnce) looked_ = hour;
    if (done->segments_archived > 0) {
      spdlog::info("{} segments of the journal were archived", done->segments_archived);
    }
    if (done->lots_expired + done->months_trued_up + done->invoices_issued == 0) return;
    spdlog::info("{} lots expired, {} months of commitments charged, {} invoices issued", done->lots_expired,
                 done->months_trued_up, done->invoices_issued);
  }

  /// A database that is away is away for everyone, and told elsewhere.
  static void tell(std::string_view what, const Error& error) {
    if (error.code != ErrorCode::kUnavailable) spdlog::error("{}: {}", what, error.message);
  }

  ClockworkOptions options_;
  ledger::Ledger& ledger_;
  Metrics& metrics_;
  const Clock& clock_;
  std::map<std::string, int64_t, std::less<>> called_;  ///< webhooks whose answer is awaited, with the alert
  std::list<Notification> due_;                         ///< as the last look found it, less what was called
  std::chrono::sys_time<std::chrono::hours> looked_{};  ///< at what is asked once an hour
  asio::io_context context_{1};                         ///< after what its coroutines use
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Clockwork> Clockwork::make(ClockworkOptions options, ledger::Ledger& ledger, Metrics& metrics,
                                           const Clock& clock) {
  return std::make_unique<ThreadClockwork>(options, ledger, metrics, clock);
}

}  // namespace feilun::gateway
