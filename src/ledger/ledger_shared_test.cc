#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <latch>
#include <thread>

#include "ledger/shared_ledger_fixture.h"

// Several gateways on one PostgreSQL: in one process, and as processes that are killed or stopped.
// At random: lost_gateways_test.cc.

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;

class GatewaysTogether : public SharedLedger, public ::testing::WithParamInterface<int> {};

TEST_P(GatewaysTogether, ServeExactlyWhatIsPaidFor) {
  constexpr int kRequests = 1000;
  const int gateways = GetParam();
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

INSTANTIATE_TEST_SUITE_P(SharedLedger, GatewaysTogether, ::testing::Values(1, 2, 4));

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

}  // namespace
}  // namespace feilun::ledger
