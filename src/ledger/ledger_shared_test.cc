#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <latch>
#include <random>
#include <thread>

#include "ledger/ledger_fixture.h"

// Several gateways on one PostgreSQL: in one process, and as processes that are killed or stopped.

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;

constexpr TokenCount kInput = 100;
constexpr TokenCount kOutput = 10;
const Money kEach = Money::pico(kInput * 300'000 + kOutput * 600'000);
constexpr int kRequests = 1000;
constexpr int kPaid = 500;

class SharedLedger : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_POSTGRES();
    schema_ = TestPostgres::server().new_schema();
    const auto ledger = open("set-up", false);
    ASSERT_TRUE(ledger->set_price(test_price()));
    ASSERT_TRUE(ledger->credit("default", kEach * kPaid, "CNY", "", ""));
  }

  /// `name`: of the gateway's own directory.
  LedgerOptions options(const std::string& name, bool serving = true) {
    LedgerOptions options{.directory = directory_.path() / name, .serving = serving};
    options.url = TestPostgres::server().url();
    options.postgres.schema = schema_;
    options.postgres.idle_limit = milliseconds(500);
    options.lease = lease_;
    return options;
  }
  std::unique_ptr<Ledger> open(const std::string& name, bool serving = true) {
    auto opened = Ledger::open(options(name, serving));
    if (!opened) ADD_FAILURE() << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }
  static HoldRequest request(std::string id, const std::string& project) {
    HoldRequest asked{.request_id = std::move(id), .project_id = project, .offering = "nano"};
    asked.input_tokens = kInput;
    asked.output_slice = kOutput;
    return asked;
  }
  /// Holds and settles; true when it was served.
  static bool serve(Ledger& ledger, const std::string& id, const std::string& project) {
    const auto hold = ledger.hold_now(request(id, project));
    if (!hold || hold->exhausted) return false;
    return ledger.settle_now(id, {.input_fresh = kInput, .output = kOutput}, Outcome::kCompleted).has_value();
  }

  void expect_exactly_the_paid_are_served_by(int gateways);

  TemporaryDirectory directory_;
  std::string schema_;
  milliseconds lease_ = std::chrono::seconds(90);
};

void SharedLedger::expect_exactly_the_paid_are_served_by(int gateways) {
  std::vector<std::unique_ptr<Ledger>> ledgers;
  for (int i = 0; i < gateways; ++i) ledgers.push_back(open("gateway-" + std::to_string(i)));
  const std::string project = ledgers[0]->find_project("default")->id;
  std::atomic<int> served = 0;
  std::atomic<int> refused = 0;
  std::latch ended(kRequests);
  for (int i = 0; i < kRequests; ++i) {
    Ledger& ledger = *ledgers[static_cast<size_t>(i % gateways)];
    const std::string id = "req_" + std::to_string(i);
    ledger.hold(request(id, project), [&, id](Result<Hold> hold) {
      if (!hold || hold->exhausted) {
        EXPECT_EQ(hold ? ErrorCode::kInternal : hold.error().code, ErrorCode::kInsufficientQuota);
        ++refused;
        return ended.count_down();
      }
      ledger.settle(id, {.input_fresh = kInput, .output = kOutput}, Outcome::kCompleted,
                    [&](Result<Settlement> done) {
                      if (done) ++served;
                      ended.count_down();
                    });
    });
  }
  ended.wait();
  EXPECT_EQ(served, kPaid);
  EXPECT_EQ(refused, kRequests - kPaid);
  const Balance left = ledgers[0]->balance("default").value();
  EXPECT_TRUE(left.posted.is_zero());
  EXPECT_TRUE(left.pending.is_zero());
}

TEST_F(SharedLedger, OneGatewayServesExactlyWhatIsPaidFor) {
  expect_exactly_the_paid_are_served_by(1);
}
TEST_F(SharedLedger, TwoGatewaysServeExactlyWhatIsPaidFor) {
  expect_exactly_the_paid_are_served_by(2);
}
TEST_F(SharedLedger, FourGatewaysServeExactlyWhatIsPaidFor) {
  expect_exactly_the_paid_are_served_by(4);
}

TEST_F(SharedLedger, HoldsOfAGatewayThatDiedAreEndedByTheOthersWhenItsLeaseRunsOut) {
  lease_ = milliseconds(400);
  const pid_t child = fork();
  if (child == 0) {
    auto ledger = Ledger::open(options("dies")).value();
    const std::string project = ledger->find_project("default")->id;
    if (!ledger->hold_now(request("marked", project))) _exit(1);
    if (!ledger->hold_now(request("unmarked", project))) _exit(1);
    std::promise<void> marked;
    ledger->mark("marked", {.input_fresh = kInput, .output = 4},
                 [&](Result<TokenUsage>) { marked.set_value(); });
    marked.get_future().wait();
    raise(SIGKILL);
  }
  waitpid(child, nullptr, 0);
  const auto ledger = open("lives");
  const Money marked = Money::pico(kInput * 300'000 + 4 * 600'000);
  while (!ledger->balance("default")->pending.is_zero()) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(ledger->balance("default")->posted, kEach * kPaid - marked);
  EXPECT_EQ(ledger->usage("default")->requests, 1);
}

TEST_F(SharedLedger, AGatewayStartedAnewEndsItsOwnHoldsAtOnce) {
  const pid_t child = fork();
  if (child == 0) {
    auto ledger = Ledger::open(options("again")).value();
    const std::string project = ledger->find_project("default")->id;
    if (!ledger->hold_now(request("left", project))) _exit(1);
    raise(SIGKILL);
  }
  waitpid(child, nullptr, 0);
  const auto other = open("other");
  EXPECT_FALSE(other->balance("default")->pending.is_zero());
  const auto ledger = open("again");
  EXPECT_TRUE(ledger->balance("default")->pending.is_zero());
}

TEST_F(SharedLedger, SettlesOfAGatewayThatStoodStillPastItsLeaseAreRefused) {
  lease_ = milliseconds(400);
  const pid_t child = fork();
  if (child == 0) {
    auto ledger = Ledger::open(options("sleeps")).value();
    const std::string project = ledger->find_project("default")->id;
    if (!ledger->hold_now(request("held", project))) _exit(1);
    raise(SIGSTOP);
    const auto settled =
        ledger->settle_now("held", {.input_fresh = kInput, .output = 5}, Outcome::kCompleted);
    if (settled || settled.error().code != ErrorCode::kConflict) _exit(2);
    // Under its new lease it serves again.
    _exit(serve(*ledger, "new", project) ? 0 : 3);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  {
    const auto ledger = open("awake");
    while (!ledger->balance("default")->pending.is_zero()) std::this_thread::sleep_for(milliseconds(20));
    EXPECT_EQ(ledger->balance("default")->posted, kEach * kPaid);
  }
  kill(child, SIGCONT);
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(open("awake")->balance("default")->posted, kEach * (kPaid - 1));
}

TEST_F(SharedLedger, KilledAndStoppedAtRandomGatewaysNeverSpendMoreThanIsThere) {
  lease_ = milliseconds(400);
  std::mt19937_64 random(7);
  std::vector<pid_t> children;
  for (int gateway = 0; gateway < 4; ++gateway) {
    children.push_back(fork());
    if (children.back() != 0) continue;
    auto opened = Ledger::open(options("gateway-" + std::to_string(gateway)));
    if (!opened) _exit(1);
    Ledger& ledger = **opened;
    const std::string project = ledger.find_project("default")->id;
    for (int i = 0;; ++i) serve(ledger, "req_" + std::to_string(gateway) + "_" + std::to_string(i), project);
  }
  for (int round = 0; round < 6; ++round) {
    std::this_thread::sleep_for(milliseconds(30 + random() % 50));
    const pid_t victim = children[random() % children.size()];
    kill(victim, SIGSTOP);
    std::this_thread::sleep_for(milliseconds(random() % 700));
    kill(victim, SIGCONT);
  }
  for (const pid_t child : children) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  const auto ledger = open("witness");
  while (!ledger->balance("default")->pending.is_zero()) std::this_thread::sleep_for(milliseconds(20));
  const Balance left = ledger->balance("default").value();
  const Money charged = ledger->usage("default")->charged;
  EXPECT_EQ(left.posted + charged, kEach * kPaid);
  EXPECT_FALSE(left.posted.is_negative());
}

}  // namespace
}  // namespace feilun::ledger
