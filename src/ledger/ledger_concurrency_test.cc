#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "ledger/ledger_fixture.h"

namespace feilun::ledger {
namespace {

TEST_F(LedgerTest, ManyThreadsShareOneWallet) {
  set_up_price();
  credit("0.01");
  const std::string project = project_id();
  std::vector<std::thread> threads;
  std::atomic<int> conflicts = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 60; ++i) {
        // Half of the ids are asked for by two threads: one of the two must lose.
        const std::string id = "req_" + std::to_string(i % 2 == 0 ? t : t / 2) + "_" + std::to_string(i);
        const auto hold = ledger_->hold_now(
            {.request_id = id, .project_id = project, .offering = "nano", .input_tokens = 10});
        if (!hold) {
          conflicts += hold.error().code == ErrorCode::kConflict;
          continue;
        }
        const Balance seen = ledger_->balance(project).value();
        EXPECT_FALSE(seen.available().is_negative());
        EXPECT_TRUE(ledger_->settle_now(id, {.input_fresh = 10, .output = i}, Outcome::kCompleted));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(conflicts, 8 * 30 / 2);
  EXPECT_TRUE(balance().pending.is_zero());
  expect_verified();
}

TEST_F(LedgerTest, SecondServingProcessIsRefusedByName) {
  const auto second = Ledger::open(options(/*serving=*/true));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_NE(second.error().message.find(directory_.path().string()), std::string::npos);
  ledger_.reset();
  EXPECT_TRUE(Ledger::open(options(/*serving=*/true)));
}

TEST_F(LedgerTest, CreditBesideARunningServerIsSeenAtOnce) {
  set_up_price();
  const auto tool = Ledger::open(options(/*serving=*/false)).value();
  EXPECT_EQ(ledger_->hold_now(request("r1")).error().code, ErrorCode::kInsufficientQuota);
  ASSERT_TRUE(tool->credit("default", yuan("1"), "CNY", "", ""));
  EXPECT_TRUE(ledger_->hold_now(request("r1")));
  EXPECT_FALSE(tool->balance("default")->pending.is_zero());
  EXPECT_TRUE(ledger_->settle_now("r1", {.output = 1}, Outcome::kCompleted));
  expect_verified();
}

TEST_F(LedgerTest, TwoLedgersOnOneDirectoryKeepOneChain) {
  set_up_price();
  const auto tool = Ledger::open(options(/*serving=*/false)).value();
  std::thread other([&] {
    for (int i = 0; i < 100; ++i)
      EXPECT_TRUE(tool->credit("default", yuan("0.01"), "CNY", "", "k" + std::to_string(i)));
  });
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(ledger_->credit("default", yuan("0.01"), "CNY", "", "k" + std::to_string(i)));
    const std::string id = "r" + std::to_string(i);
    if (ledger_->hold_now(request(id, 1, 1))) {
      EXPECT_TRUE(ledger_->settle_now(id, {.output = 1}, Outcome::kCompleted));
    }
  }
  other.join();
  EXPECT_EQ(balance().posted, yuan("1") - ledger_->usage("default")->charged);
  expect_verified();
}

TEST(LedgerProcesses, WriteSideBySide) {
  const TemporaryDirectory directory;
  constexpr int kProcesses = 3;
  constexpr int kCredits = 40;
  pid_t children[kProcesses];
  for (pid_t& child : children) {
    child = fork();
    if (child != 0) continue;
    auto ledger = Ledger::open({.directory = directory.path()});
    if (!ledger) _exit(1);
    for (int i = 0; i < kCredits; ++i) {
      if (!(*ledger)->credit("default", yuan("1"), "CNY", "", "")) _exit(2);
    }
    ledger->reset();
    _exit(0);
  }
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Ledger::open({.directory = directory.path()}).value()->balance("default")->posted, yuan("120"));
  const auto report = verify(directory.path()).value();
  EXPECT_TRUE(report.ok()) << report.findings()[0];
}

}  // namespace
}  // namespace feilun::ledger
