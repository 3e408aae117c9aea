#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "ledger/books.h"
#include "ledger/invoicing.h"
#include "ledger/ledger_fixture.h"
#include "ledger/postgres_fixture.h"
#include "ledger/postgres_proxy.h"
#include "ledger/receivables.h"

// A ledger whose way to its PostgreSQL breaks at any message, in either direction: before a statement
// arrives, in the middle of one, between a COMMIT and its answer. A hold that was refused holds nothing; an
// end is never lost and never happens twice; nor does a credit, an invoice or a payment that is asked for
// again until it is answered.

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;

enum class Way { kToServer = 0, kToClient = 1 };
enum class Fate {
  kHangUp,     ///< both ends see the connection closed
  kTorn,       ///< as kHangUp, but half of the message still arrives
  kTwice,      ///< as kHangUp, and once more while it is made again, or a little later
  kHalfClose,  ///< who was being sent to sees the end; what it answers is still carried
  kVanish      ///< nothing is carried any more, either way, and nobody sees an end
};

/// One way of one connection, cut into PostgreSQL's messages: a type, which the client's first one lacks, and
/// a length, which counts itself.
class Messages {
 public:
  explicit Messages(Way way) : typed_(way == Way::kToClient) {}
  void add(std::string_view bytes) { bytes_ += bytes; }
  /// Empty as long as the next one is not there whole.
  std::string next() {
    const size_t head = typed_ ? 1 : 0;
    if (bytes_.size() < head + 4) return {};
    size_t size = 0;
    for (size_t i = head; i < head + 4; ++i) size = size << 8 | static_cast<uint8_t>(bytes_[i]);
    if (bytes_.size() < head + size) return {};
    std::string message = bytes_.substr(0, head + size);
    bytes_.erase(0, head + size);
    typed_ = true;
    return message;
  }

 private:
  std::string bytes_;
  bool typed_;
};

/// Carries messages between clients and the server's socket. Once armed, the n-th message of one way meets
/// its fate, and with it the connection that carries it.
class BreakingProxy {
 public:
  explicit BreakingProxy(std::string server_directory)
      : proxy_(std::move(server_directory),
               [this](int client, int server, const std::stop_token& stop) { carry(client, server, stop); }) {
  }

  std::string url() const { return proxy_.url(); }
  /// 0: the next.
  void break_at(Way way, int64_t nth, Fate fate) {
    const std::lock_guard lock(mutex_);
    way_ = way;
    fate_ = fate;
    left_ = nth;
    // To connect takes about as many messages; each time it is another of them.
    again_ = fate == Fate::kTwice ? nth * 31 % 100 : kNever;
    broke_ = false;
  }
  /// False when the message has not come; then it will not.
  bool broke() {
    const std::lock_guard lock(mutex_);
    left_ = again_ = kNever;
    return broke_;
  }

 private:
  static constexpr int64_t kNever = INT64_MAX;

  void carry(int client, int server, const std::stop_token& stop) {
    std::array<pollfd, 2> both = {pollfd{.fd = client, .events = POLLIN},
                                  pollfd{.fd = server, .events = POLLIN}};
    std::array messages = {Messages(Way::kToServer), Messages(Way::kToClient)};
    bool open = true;
    const auto vanished = [&] { return both[0].fd < 0 && both[1].fd < 0; };
    while (open && !vanished() && !stop.stop_requested()) {
      if (poll(both.data(), both.size(), 20) <= 0) continue;
      for (const Way way : {Way::kToServer, Way::kToClient}) {
        const auto from = static_cast<size_t>(way);
        if (both[from].revents != 0) open = open && pass(way, messages[from], both[from], both[1 - from]);
      }
    }
    // As long as the server needs to miss a client; by then the client has missed the server.
    const auto missed = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (vanished() && !stop.stop_requested() && std::chrono::steady_clock::now() < missed) {
      std::this_thread::sleep_for(milliseconds(20));
    }
    close(client);
    close(server);
  }

  /// False when the connection is over.
  bool pass(Way way, Messages& messages, pollfd& from, pollfd& to) {
    char bytes[1 << 14];
    const ssize_t size = read(from.fd, bytes, sizeof bytes);
    if (size <= 0) return false;
    messages.add({bytes, static_cast<size_t>(size)});
    std::string carried;
    for (std::string message = messages.next(); !message.empty(); message = messages.next()) {
      const std::optional<Fate> fate = fate_of_next(way);
      if (!fate) {
        carried += message;
        continue;
      }
      if (fate == Fate::kTorn) carried += message.substr(0, message.size() / 2);
      return PostgresProxy::send_all(to.fd, carried) && meet(*fate, from, to);
    }
    return PostgresProxy::send_all(to.fd, carried);
  }
  static bool meet(Fate fate, pollfd& from, pollfd& to) {
    if (fate != Fate::kHalfClose && fate != Fate::kVanish) return false;
    if (fate == Fate::kHalfClose) shutdown(to.fd, SHUT_WR);
    from.fd = -1;  // poll() passes over it
    if (fate == Fate::kVanish) to.fd = -1;
    return true;
  }
  std::optional<Fate> fate_of_next(Way way) {
    const std::lock_guard lock(mutex_);
    if (left_ == kNever || way != way_ || left_-- > 0) return std::nullopt;
    left_ = std::exchange(again_, kNever);
    broke_ = true;
    return fate_;
  }

  std::mutex mutex_;
  Way way_ = Way::kToServer;
  Fate fate_ = Fate::kHangUp;
  int64_t left_ = kNever;
  int64_t again_ = kNever;  ///< what is left once it broke
  bool broke_ = false;
  PostgresProxy proxy_;
};

const Money kUnit = Money::pico(1000);
constexpr int kBuyers = 100;

/// Asks again as long as the database is away. Any other error fails the test.
template <typename T, typename Ask>
Result<T> until_answered(Ask ask) {
  Result<T> answer = ask();
  for (; !answer && answer.error().code == ErrorCode::kUnavailable; answer = ask()) {
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_TRUE(answer) << answer.error().message;
  return answer;
}

/// A ledger in a schema of its own, and what its requests, credits and invoices must have come to. Each of
/// its buyers, org 0 and so on, promised a yuan for last month and used nothing, so there is much to invoice.
class Lane {
 public:
  Lane() : schema_(server().new_schema()) {
    const auto ledger = open(server().url());
    PriceVersion price{.offering = "nano", .currency = "CNY"};
    price.rows = pricing::flat_rows({kUnit, kUnit, kUnit, kUnit, kUnit});
    EXPECT_TRUE(ledger->set_price(price));
    EXPECT_TRUE(ledger->credit("default", money_, "CNY", "", ""));
    project_ = ledger->find_project("default")->id;
    EXPECT_TRUE(ledger->write<void>([this](Books& books) -> Result<> {
      for (int i = 0; i < kBuyers; ++i) {
        const std::string name = buyer(i);
        TRY(books.create_organisation({.name = name, .currency = "CNY"}));
        TRY(books.commit(
            {.organisation = name, .currency = "CNY", .amount = yuan("1"), .from = last_month_}));
      }
      return {};
    }));
  }
  static TestPostgres& server() { return TestPostgres::server(); }

  std::unique_ptr<Ledger> open(const std::string& url) {
    LedgerOptions options{.directory = directory_.path(), .serving = true, .url = url};
    options.postgres = limits;
    options.postgres.schema = schema_;
    auto opened = Ledger::open(options);
    if (!opened) ADD_FAILURE() << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }
  /// A request from its hold to its end, and a credit.
  void serve(Ledger& ledger, const std::string& wanted) {
    const std::string id = hold(ledger, wanted);
    const TokenUsage usage{.input_fresh = 5, .output = 1 + static_cast<TokenCount>(id.size() % 8)};
    (void)wait<TokenUsage>([&](auto done) { ledger.mark(id, usage, std::move(done)); });
    const auto settled = ledger.settle_now(id, usage, Outcome::kCompleted);
    EXPECT_TRUE(settled) << id << ": " << settled.error().message;
    until_answered<Balance>([&] { return ledger.credit("default", yuan("0.01"), "CNY", "", wanted); });
    const std::lock_guard lock(mutex_);
    money_ += yuan("0.01") - kUnit * (usage.input_fresh + usage.output);
    ++requests_;
  }
  /// The next buyer's invoice, and its payment.
  void bill(Ledger& ledger, const std::string& reference) {
    const std::string owner = buyer(bills_++);
    const auto issued = until_answered<Invoice>([&] {
      return ledger.write<Invoice>([&](Books& books) { return books.issue_invoice(owner, last_month_); });
    });
    if (!issued) return;
    EXPECT_EQ(issued->total, yuan("1"));
    const PaymentRequest payment{
        .invoice = issued->facts.number, .reference = reference, .amount = yuan("1")};
    until_answered<PaymentDone>(
        [&] { return ledger.write<PaymentDone>([&](Books& books) { return books.pay_invoice(payment); }); });
  }
  /// Once the database has heard everything.
  void expect_right(Ledger& ledger) {
    const auto left = [&] { return ledger.balance("default"); };
    for (auto now = left(); !now || !now->pending.is_zero() || ledger.spool().records > 0; now = left()) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    EXPECT_EQ(left()->posted, money_);
    EXPECT_EQ(ledger.usage("default")->requests, requests_);
    EXPECT_EQ(ledger.read<int>(invoices_paid).value(), bills_);
  }
  void expect_verified() {
    const audit::Place place{.directory = directory_.path(), .url = server().url(), .schema = schema_};
    const auto report = audit::verify(place);
    ASSERT_TRUE(report) << report.error().message;
    for (const std::string& problem : report->findings()) ADD_FAILURE() << problem;
  }

  PostgresOptions limits;

 private:
  static std::string buyer(int i) { return "org " + std::to_string(i); }
  /// All that there are: each once, and by nothing but its payment.
  static Result<int> invoices_paid(State& state) {
    const std::vector<Receivable> all = TRY(receivables(state, "", 2 * kBuyers));
    for (const Receivable& each : all) {
      EXPECT_EQ(each.paid, yuan("1")) << each.number;
      EXPECT_EQ(TRY(payer_balance(state, each.organisation_id, "CNY")).posted, Money()) << each.number;
    }
    return static_cast<int>(all.size());
  }
  /// Each time under another id, as a client would. Returns the id.
  std::string hold(Ledger& ledger, const std::string& wanted) {
    HoldRequest asked{.request_id = wanted, .project_id = project_, .offering = "nano"};
    asked.input_tokens = 5;
    asked.output_slice = 10;
    until_answered<Hold>([&] {
      asked.request_id += "'";
      return ledger.hold_now(asked);
    });
    return asked.request_id;
  }

  TemporaryDirectory directory_;
  std::string schema_;
  std::string project_;
  const Month last_month_ = TimeZone::utc().month_of(SystemClock().wall()) - std::chrono::months(1);
  std::mutex mutex_;
  Money money_ = yuan("1");  ///< of "default"
  int64_t requests_ = 0;
  std::atomic<int> bills_ = 0;
};

class PostgresFaults : public ::testing::TestWithParam<std::tuple<Way, Fate>> {
 protected:
  void SetUp() override { SKIP_WITHOUT_POSTGRES(); }
};

using Act = void (Lane::*)(Ledger&, const std::string& name);

/// An act after the other, of which each meets its fate a few messages later than the one before, until one
/// comes through. Returns how many met it.
int strike(Lane& lane, Act act, Way way, Fate fate, int first, int step) {
  BreakingProxy proxy(Lane::server().directory());
  const auto ledger = lane.open(proxy.url());
  int struck = 0;
  for (int nth = first;; nth += step, ++struck) {
    SCOPED_TRACE("at message " + std::to_string(nth));
    proxy.break_at(way, nth, fate);
    (lane.*act)(*ledger, "req_" + std::to_string(nth));
    const bool broke = proxy.broke();
    lane.expect_right(*ledger);
    if (!broke || ::testing::Test::HasFailure()) return struck;
  }
}

TEST_P(PostgresFaults, NothingIsLostOrDoneTwiceAtWhateverMessageTheWayBreaks) {
  const auto [way, fate] = GetParam();
  // What has vanished is missed by nothing but the clock, so many wait for it side by side.
  const int side_by_side = fate == Fate::kVanish ? 8 : 4;
  std::deque<Lane> lanes;
  std::atomic<int> served = 0, billed = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < side_by_side; ++i) {
    Lane& lane = lanes.emplace_back();
    if (fate == Fate::kVanish) {
      lane.limits.lock_wait = lane.limits.transaction_limit = milliseconds(200);
      lane.limits.idle_limit = lane.limits.slack = milliseconds(100);
    }
    threads.emplace_back([&, i] {
      served += strike(lane, &Lane::serve, way, fate, i, side_by_side);
      billed += strike(lane, &Lane::bill, way, fate, i, side_by_side);
    });
  }
  threads.clear();
  EXPECT_GE(served, 80);
  EXPECT_GE(billed, 100);
  RecordProperty("served", served);
  RecordProperty("billed", billed);
  for (Lane& lane : lanes) lane.expect_verified();
}

std::string name_of(const ::testing::TestParamInfo<PostgresFaults::ParamType>& info) {
  static constexpr std::array kWays = {"ToServer", "ToClient"};
  static constexpr std::array kFates = {"HangUp", "Torn", "Twice", "HalfClose", "Vanish"};
  const auto [way, fate] = info.param;
  return std::string(kWays.at(static_cast<size_t>(way))) + kFates.at(static_cast<size_t>(fate));
}

INSTANTIATE_TEST_SUITE_P(BothWays, PostgresFaults,
                         ::testing::Combine(::testing::Values(Way::kToServer, Way::kToClient),
                                            ::testing::Values(Fate::kHangUp, Fate::kTorn, Fate::kTwice,
                                                              Fate::kHalfClose, Fate::kVanish)),
                         name_of);

TEST(PostgresSessions, NothingIsLostOrDoneTwiceWhileTheServerEndsThem) {
  SKIP_WITHOUT_POSTGRES();
  Lane lane;
  auto ledger = lane.open(Lane::server().url());
  std::jthread killer([](const std::stop_token& stop) {
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(Lane::server().url().c_str()),
                                                                  &PQfinish);
    while (!stop.stop_requested()) {
      PQclear(PQexec(connection.get(),
                     "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                     "WHERE application_name = 'feilun' AND random() < 0.3"));
      std::this_thread::sleep_for(milliseconds(7));
    }
  });
  std::vector<std::jthread> customers;
  for (int i = 0; i < 4; ++i) {
    customers.emplace_back([&, i] {
      for (int k = 0; k < 25; ++k) {
        const std::string name = fmt::format("req_{}_{}", i, k);
        lane.serve(*ledger, name);
        lane.bill(*ledger, name);
      }
    });
  }
  customers.clear();
  killer.request_stop();
  killer.join();
  lane.expect_right(*ledger);
  ledger.reset();
  lane.expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
