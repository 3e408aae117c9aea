#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "ledger/ledger_fixture.h"
#include "ledger/postgres_fixture.h"
#include "ledger/postgres_proxy.h"

// A ledger whose way to its PostgreSQL breaks at any byte, in either direction: before a statement arrives,
// in the middle of one, between a COMMIT and its answer. A hold that was refused holds nothing; an end is
// never lost and never happens twice.

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;

enum class Way { kToServer = 0, kToClient = 1 };
enum class Fate {
  kHangUp,    ///< both ends see the connection closed
  kHalfClose  ///< who was being sent to sees the end; what it answers is still carried
};

/// Carries bytes between clients and the server's socket, and counts them. Once armed, the connection that
/// carries the n-th byte of one way carries nothing more of it.
class BreakingProxy {
 public:
  explicit BreakingProxy(std::string server_directory)
      : proxy_(std::move(server_directory),
               [this](int client, int server, const std::stop_token& stop) { carry(client, server, stop); }) {
  }

  std::string url() const { return proxy_.url(); }
  int64_t carried(Way way) const { return carried_[static_cast<size_t>(way)]; }
  /// Counts from now on.
  void break_at(Way way, int64_t byte, Fate fate) {
    const std::lock_guard lock(mutex_);
    way_ = way;
    fate_ = fate;
    left_ = byte;
  }
  bool broke() {
    const std::lock_guard lock(mutex_);
    return left_ < 0;
  }

 private:
  static constexpr int64_t kNever = INT64_MAX;

  void carry(int client, int server, const std::stop_token& stop) {
    pollfd both[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    bool open = true;
    while (open && !stop.stop_requested()) {
      if (poll(both, 2, 20) <= 0) continue;
      for (const Way way : {Way::kToServer, Way::kToClient}) {
        pollfd& from = both[static_cast<size_t>(way)];
        if (from.revents != 0) open = open && pass(way, from, both[1 - static_cast<size_t>(way)].fd);
      }
    }
    close(client);
    close(server);
  }

  /// False when the connection is over.
  bool pass(Way way, pollfd& from, int to) {
    char bytes[1 << 14];
    const ssize_t size = read(from.fd, bytes, sizeof bytes);
    if (size <= 0) return false;
    const int64_t allowed = take(way, size);
    carried_[static_cast<size_t>(way)] += allowed;
    if (!PostgresProxy::send_all(to, {bytes, static_cast<size_t>(allowed)})) return false;
    if (allowed == size) return true;
    from.events = 0;  // nothing more is read
    shutdown(to, SHUT_WR);
    return fate_ == Fate::kHalfClose;
  }
  int64_t take(Way way, int64_t size) {
    const std::lock_guard lock(mutex_);
    if (left_ == kNever || left_ < 0 || way != way_) return size;
    if (size <= left_) {
      left_ -= size;
      return size;
    }
    return std::exchange(left_, -1);
  }

  std::mutex mutex_;
  Way way_ = Way::kToServer;
  std::atomic<Fate> fate_{Fate::kHangUp};
  int64_t left_ = kNever;  ///< below zero once it broke
  std::array<std::atomic<int64_t>, 2> carried_{};
  PostgresProxy proxy_;
};

constexpr int kRequests = 6;
const Money kUnit = Money::pico(1000);

class PostgresFaults : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_POSTGRES(); }

  static TestPostgres& server() { return TestPostgres::server(); }

  LedgerOptions options(const std::string& url) {
    LedgerOptions options{.directory = directory_->path(), .serving = true, .url = url};
    options.postgres.schema = schema_;
    options.postgres.outcome_wait = std::chrono::minutes(2);
    return options;
  }
  std::unique_ptr<Ledger> open(const std::string& url) {
    auto opened = Ledger::open(options(url));
    if (!opened) ADD_FAILURE() << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }
  /// A schema with a price and money.
  void begin_anew() {
    directory_.emplace();
    schema_ = server().new_schema();
    const auto ledger = open(server().url());
    PriceVersion price{.offering = "nano", .currency = "CNY"};
    price.rows = pricing::flat_rows({kUnit, kUnit, kUnit, kUnit, kUnit});
    ASSERT_TRUE(ledger->set_price(price));
    ASSERT_TRUE(ledger->credit("default", yuan("1"), "CNY", "", ""));
    project_ = ledger->find_project("default")->id;
  }
  /// Asks again, as a client would, under another id, as long as the database is away. Returns the id.
  std::string hold(Ledger& ledger, const std::string& wanted) {
    HoldRequest asked{.request_id = wanted, .project_id = project_, .offering = "nano"};
    asked.input_tokens = 5;
    asked.output_slice = 10;
    for (;;) {
      const auto held = ledger.hold_now(asked);
      if (held) return asked.request_id;
      EXPECT_EQ(held.error().code, ErrorCode::kUnavailable) << held.error().message;
      if (held.error().code != ErrorCode::kUnavailable) return "";
      asked.request_id += "'";
      std::this_thread::sleep_for(milliseconds(2));
    }
  }
  /// What the requests were charged.
  Money serve(Ledger& ledger, const std::string& prefix, int requests = kRequests) {
    Money charged;
    for (int i = 0; i < requests; ++i) {
      const std::string id = hold(ledger, prefix + std::to_string(i));
      const TokenUsage usage{.input_fresh = 5, .output = 1 + i % 8};
      (void)wait<TokenUsage>([&](auto done) { ledger.mark(id, usage, std::move(done)); });
      const auto settled = ledger.settle_now(id, usage, Outcome::kCompleted);
      EXPECT_TRUE(settled) << id << ": " << settled.error().message;
      charged += kUnit * (5 + 1 + i % 8);
    }
    return charged;
  }
  void expect_charged(Money charged, int requests) {
    const auto ledger = open(server().url());
    ASSERT_TRUE(ledger);
    const Balance left = ledger->balance("default").value();
    EXPECT_EQ(left.posted, yuan("1") - charged);
    EXPECT_TRUE(left.pending.is_zero());
    EXPECT_EQ(ledger->usage("default")->requests, requests);
    const audit::Place place{.directory = directory_->path(), .url = server().url(), .schema = schema_};
    const auto report = audit::verify(place);
    ASSERT_TRUE(report) << report.error().message;
    for (const std::string& problem : report->problems) ADD_FAILURE() << problem;
  }
  void break_everywhere(Way way, Fate fate, int places);

  std::optional<TemporaryDirectory> directory_;
  std::string schema_;
  std::string project_;
};

void PostgresFaults::break_everywhere(Way way, Fate fate, int places) {
  int64_t bytes = 0;  // of a run that is not broken
  for (int place = -1; place < places; ++place) {
    begin_anew();
    BreakingProxy proxy(server().directory());
    auto ledger = open(proxy.url());
    ASSERT_TRUE(ledger);
    const int64_t before = proxy.carried(way);
    const int64_t at = place < 0 ? 0 : bytes * place / places;
    if (place >= 0) proxy.break_at(way, at, fate);
    const Money charged = serve(*ledger, "req_");
    if (place < 0) bytes = proxy.carried(way) - before;
    if (place >= 0) EXPECT_TRUE(proxy.broke()) << "byte " << at;
    ledger.reset();
    expect_charged(charged, kRequests);
    if (HasFailure()) FAIL() << "at byte " << at << " of " << bytes;
  }
}

TEST_F(PostgresFaults, NothingIsLostOrDoneTwiceWhereverTheWayToTheServerBreaks) {
  break_everywhere(Way::kToServer, Fate::kHangUp, 12);
}

TEST_F(PostgresFaults, NothingIsLostOrDoneTwiceWhereverTheWayBackBreaks) {
  break_everywhere(Way::kToClient, Fate::kHangUp, 12);
}

TEST_F(PostgresFaults, AHalfClosedConnectionIsNoDifferent) {
  break_everywhere(Way::kToServer, Fate::kHalfClose, 4);
  break_everywhere(Way::kToClient, Fate::kHalfClose, 4);
}

TEST_F(PostgresFaults, NothingIsLostOrDoneTwiceWhileTheServerEndsItsSessions) {
  begin_anew();
  auto ledger = open(server().url());
  std::jthread killer([](const std::stop_token& stop) {
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(server().url().c_str()),
                                                                  &PQfinish);
    while (!stop.stop_requested()) {
      PQclear(PQexec(connection.get(),
                     "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE application_name = 'feilun' AND random() < 0.3"));
      std::this_thread::sleep_for(milliseconds(7));
    }
  });
  std::vector<std::jthread> customers;
  std::array<Money, 4> charged;
  for (size_t i = 0; i < charged.size(); ++i) {
    customers.emplace_back([&, i] { charged[i] = serve(*ledger, "req_" + std::to_string(i) + "_", 25); });
  }
  for (std::jthread& each : customers) each.join();
  killer.request_stop();
  killer.join();
  ledger.reset();
  expect_charged(charged[0] + charged[1] + charged[2] + charged[3], 100);
}

}  // namespace
}  // namespace feilun::ledger
