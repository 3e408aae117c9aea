#include "ledger/spooler.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <random>
#include <thread>

#include "ledger/spooler_fixture.h"

// A database that goes away and comes back, and gateways that are killed meanwhile. The server is a real one.

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;

class KilledSpoolerTest : public SpoolerTest {
 protected:
  /// A gateway in a process of its own: three holds, then the database goes, then the ends, then the end.
  void be_killed_with_a_full_spool() {
    const pid_t child = fork();
    if (child == 0) {
      auto ledger = Ledger::open(options("gateway")).value();
      for (const char* id : {"settled", "marked", "released"}) {
        if (!hold(*ledger, id)) _exit(1);
      }
      raise(SIGSTOP);
      const auto settled = settle(*ledger, "settled", 5);
      if (!settled || !settled->spooled) _exit(2);
      if (!mark(*ledger, "marked", 7) || !release(*ledger, "released")) _exit(3);
      raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
    ASSERT_TRUE(WIFSTOPPED(status));
    server().stop(SIGINT);
    kill(child, SIGCONT);
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    server().start();
  }
};

TEST_F(SpoolerTest, WithoutADatabaseRunningRequestsEndAndNewOnesAreRefused) {
  const auto ledger = open();
  ASSERT_TRUE(hold(*ledger, "one"));
  ASSERT_TRUE(hold(*ledger, "two"));
  server().stop(SIGINT);
  EXPECT_EQ(mark(*ledger, "one", 3)->output, 3);
  const auto refused = hold(*ledger, "three");
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  const auto settled = settle(*ledger, "one", 5);
  ASSERT_TRUE(settled);
  EXPECT_TRUE(settled->spooled);
  EXPECT_TRUE(release(*ledger, "two")->spooled);
  EXPECT_EQ(ledger->spool().records, 3);
  EXPECT_GT(ledger->spool().bytes, 0);
  EXPECT_TRUE(ledger->healthy());
  server().start();
  wait_until_told(*ledger);
  expect_charged(*ledger, price_of(5), 1);
  EXPECT_EQ(charged_late(*ledger), price_of(5));
  EXPECT_TRUE(hold(*ledger, "three"));
  EXPECT_FALSE(settle(*ledger, "three", 1)->spooled);
  EXPECT_EQ(charged_late(*ledger), price_of(5)) << "that one was told at once";
  EXPECT_EQ(ledger->spool().fenced, 0);
}

TEST_F(SpoolerTest, ADatabaseThatHangsIsAwayToo) {
  const auto ledger = open();
  ASSERT_TRUE(hold(*ledger, "one"));
  server().freeze();
  EXPECT_EQ(hold(*ledger, "late").error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(mark(*ledger, "one", 3));
  EXPECT_TRUE(settle(*ledger, "one", 5)->spooled);
  server().thaw();
  wait_until_told(*ledger);
  // The hold that nobody waited for any more may have come about; then it was let go.
  while (!ledger->balance("default")->pending.is_zero()) std::this_thread::sleep_for(milliseconds(5));
  expect_charged(*ledger, price_of(5), 1);
}

TEST_F(SpoolerTest, ATopUpWaitsForTheDatabaseButNotLongerThanItsRequest) {
  const auto ledger = open();
  ASSERT_TRUE(hold(*ledger, "waits"));
  ASSERT_TRUE(hold(*ledger, "ends"));
  server().stop(SIGINT);
  std::promise<Result<Hold>> waiting;
  std::promise<Result<Hold>> ending;
  ledger->top_up("waits", 10, [&](Result<Hold> hold) { waiting.set_value(std::move(hold)); });
  ledger->top_up("ends", 10, [&](Result<Hold> hold) { ending.set_value(std::move(hold)); });
  ASSERT_TRUE(settle(*ledger, "ends", 4));
  EXPECT_EQ(ending.get_future().get().error().code, ErrorCode::kUnavailable);
  server().start();
  EXPECT_EQ(waiting.get_future().get()->output_tokens, 30);
  ASSERT_TRUE(settle(*ledger, "waits", 25));
  wait_until_told(*ledger);
  expect_charged(*ledger, price_of(4) + price_of(25), 2);
}

TEST_F(SpoolerTest, ATopUpIsRefusedWhenTheHoldsAreNoLongerSure) {
  lease_ = milliseconds(3000);
  const auto ledger = open();
  ASSERT_TRUE(hold(*ledger, "one"));
  server().stop(SIGINT);
  const auto refused = wait<Hold>([&](auto done) { ledger->top_up("one", 10, std::move(done)); });
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_GE(SystemClock().mono(), ledger->holds_until());
  EXPECT_TRUE(settle(*ledger, "one", 9)->spooled);
  server().start();
  wait_until_told(*ledger);
  expect_charged(*ledger, price_of(9), 1);
}

TEST_F(KilledSpoolerTest, AKilledGatewayTellsWhatItSpooledBeforeItsHoldsAreEnded) {
  be_killed_with_a_full_spool();
  const auto ledger = open();
  EXPECT_EQ(ledger->spool().replayed, 3);
  EXPECT_EQ(ledger->spool().fenced, 0);
  expect_charged(*ledger, price_of(5) + price_of(7), 2);
  EXPECT_EQ(charged_late(*ledger), price_of(5)) << "the other was ended at its mark";
  EXPECT_EQ(std::filesystem::file_size(directory_.path() / "gateway/ledger.spool"), 8u);
}

TEST_F(KilledSpoolerTest, ASpoolThatIsToldTwiceChargesOnce) {
  be_killed_with_a_full_spool();
  const auto spool = directory_.path() / "gateway/ledger.spool";
  const auto copy = directory_.path() / "copy";
  std::filesystem::copy_file(spool, copy);
  open().reset();
  std::filesystem::copy_file(copy, spool, std::filesystem::copy_options::overwrite_existing);
  const auto ledger = open();
  EXPECT_EQ(ledger->spool().replayed, 3);
  EXPECT_EQ(ledger->spool().fenced, 0);
  expect_charged(*ledger, price_of(5) + price_of(7), 2);
}

TEST_F(KilledSpoolerTest, ASpoolThatSaysEverythingTwiceAndInAnyOrderChargesOnce) {
  be_killed_with_a_full_spool();
  {
    auto spool = Spool::open(directory_.path() / "gateway/ledger.spool").value();
    auto records = spool.found();
    records.insert(records.end(), spool.found().begin(), spool.found().end());
    std::ranges::shuffle(records, std::mt19937_64(7));
    ASSERT_TRUE(spool.replace(records));
  }
  const auto ledger = open();
  EXPECT_EQ(ledger->spool().replayed, 6);
  EXPECT_EQ(ledger->spool().fenced, 0);
  expect_charged(*ledger, price_of(5) + price_of(7), 2);
  EXPECT_EQ(charged_late(*ledger), price_of(5));
}

TEST_F(KilledSpoolerTest, WhatOthersHaveEndedMeanwhileIsWaste) {
  lease_ = milliseconds(400);
  be_killed_with_a_full_spool();
  {
    const auto other = open("other");
    while (!other->balance("default")->pending.is_zero()) std::this_thread::sleep_for(milliseconds(20));
  }
  const auto ledger = open();
  EXPECT_EQ(ledger->spool().fenced, 1);
  EXPECT_EQ(ledger->spool().wasted.output, 5);
  expect_charged(*ledger, Money(), 0);
}

TEST_F(SpoolerTest, AStopWithoutADatabaseLeavesAllInTheSpool) {
  {
    const auto ledger = open();
    ASSERT_TRUE(hold(*ledger, "one"));
    server().stop(SIGINT);
    ASSERT_TRUE(mark(*ledger, "one", 0));
    wait_until_away(*ledger);
    ASSERT_TRUE(settle(*ledger, "one", 2));
  }
  server().start();
  const auto ledger = open();
  expect_charged(*ledger, price_of(2), 1);
}

TEST_F(SpoolerTest, ManyRequestsThroughManyOutagesAreEachChargedOnce) {
  const auto ledger = open();
  Money charged;
  int64_t requests = 0;
  for (int round = 0; round < 4; ++round) {
    std::vector<std::string> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(fmt::format("req_{}_{}", round, i));
    for (const std::string& id : ids) ASSERT_TRUE(hold(*ledger, id));
    if (round % 2 == 0) server().freeze();
    if (round % 2 == 1) server().stop(SIGINT);
    std::vector<std::thread> ends;
    for (size_t i = 0; i < ids.size(); ++i) {
      ends.emplace_back([&, i] {
        if (i % 5 == 0) {
          EXPECT_TRUE(release(*ledger, ids[i]));
        } else {
          EXPECT_TRUE(mark(*ledger, ids[i], 1));
          EXPECT_TRUE(settle(*ledger, ids[i], static_cast<TokenCount>(i % 20)));
        }
      });
      if (i % 5 == 0) continue;
      charged += price_of(static_cast<TokenCount>(i % 20));
      ++requests;
    }
    for (std::thread& end : ends) end.join();
    if (round % 2 == 0) server().thaw();
    if (round % 2 == 1) server().start();
    wait_until_told(*ledger);
  }
  expect_charged(*ledger, charged, requests);
}

}  // namespace
}  // namespace feilun::ledger
