#include <gtest/gtest.h>
#include <sys/wait.h>

#include <future>

#include "ledger/spooler_fixture.h"
#include "ledger/way_through.h"

// A database that is away for longer than anybody waits: packets that vanish, an outage that outlasts the
// leases, a stop in the middle of one.

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class OutageTest : public SpoolerTest {
 protected:
  std::unique_ptr<Ledger> open_through(const WayThrough& way, const std::string& name = "gateway") {
    LedgerOptions through = options(name);
    through.url = way.url();
    // By when it is seen that nothing is carried.
    through.postgres.lock_wait = through.postgres.slack = through.postgres.read_wait =
        std::chrono::seconds(2);
    auto opened = Ledger::open(through);
    if (!opened) ADD_FAILURE() << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }
  /// How long it takes.
  template <typename Call>
  static milliseconds time_of(Call call) {
    const auto began = steady_clock::now();
    call();
    return std::chrono::duration_cast<milliseconds>(steady_clock::now() - began);
  }
  static void expect_soon_unavailable(const std::function<std::optional<ErrorCode>()>& call) {
    std::optional<ErrorCode> code;
    EXPECT_LT(time_of([&] { code = call(); }), std::chrono::seconds(5));
    EXPECT_EQ(code, ErrorCode::kUnavailable);
  }
  template <typename T>
  static std::optional<ErrorCode> code_of(const Result<T>& result) {
    return result ? std::nullopt : std::optional(result.error().code);
  }
};

TEST_F(OutageTest, WhereNothingIsCarriedWhoeverAsksIsToldWithinSeconds) {
  WayThrough way(server().directory());
  const auto ledger = open_through(way);
  ASSERT_TRUE(hold(*ledger, "running"));
  way.become(WayThrough::State::kVanished);
  std::vector<std::jthread> asking;
  for (int i = 0; i < 4; ++i) {
    asking.emplace_back(
        [&] { expect_soon_unavailable([&] { return code_of(ledger->balance("default")); }); });
    asking.emplace_back(
        [&] { expect_soon_unavailable([&] { return code_of(ledger->authenticate("sk-fl-new")); }); });
    asking.emplace_back([&, i] {
      expect_soon_unavailable([&] { return code_of(hold(*ledger, "req_" + std::to_string(i))); });
    });
  }
  asking.clear();
  wait_until_away(*ledger);
  EXPECT_LT(time_of([&] { EXPECT_EQ(code_of(ledger->usage("default")), ErrorCode::kUnavailable); }),
            milliseconds(500))
      << "by now it is known";
  EXPECT_TRUE(settle(*ledger, "running", 7)->spooled);
  way.become(WayThrough::State::kOpen);
  EXPECT_LT(time_of([&] { wait_until_told(*ledger); }), std::chrono::seconds(40));
  EXPECT_TRUE(ledger->healthy());
  while (!ledger->balance("default")->pending.is_zero()) std::this_thread::sleep_for(milliseconds(5));
  expect_charged(*ledger, price_of(7), 1);
}

TEST_F(OutageTest, AReaderNoticesItBeforeTheWriterHasAnythingToDo) {
  WayThrough way(server().directory());
  const auto ledger = open_through(way);
  way.become(WayThrough::State::kVanished);
  expect_soon_unavailable([&] { return code_of(ledger->balance("default")); });
  wait_until_away(*ledger);
  EXPECT_LT(time_of([&] { EXPECT_EQ(code_of(ledger->usage("default")), ErrorCode::kUnavailable); }),
            milliseconds(500));
  way.become(WayThrough::State::kOpen);
  wait_until_told(*ledger);
  expect_charged(*ledger, Money(), 0);
}

TEST_F(OutageTest, OneThatOutlastsTheLeasesLeavesEveryGatewayTheTimeToComeBack) {
  lease_ = milliseconds(2000);
  WayThrough way(server().directory());
  const auto first = open("first");
  const auto second = open_through(way, "second");
  ASSERT_TRUE(hold(*first, "one"));
  ASSERT_TRUE(hold(*second, "two"));
  way.become(WayThrough::State::kRefused);
  server().stop(SIGINT);
  EXPECT_TRUE(settle(*first, "one", 3)->spooled);
  EXPECT_TRUE(settle(*second, "two", 5)->spooled);
  std::this_thread::sleep_for(lease_ + milliseconds(500));
  server().start();
  wait_until_told(*first);
  ASSERT_TRUE(first->flush());
  EXPECT_FALSE(first->balance("default")->pending.is_zero()) << "the other's hold was ended";
  way.become(WayThrough::State::kOpen);
  wait_until_told(*second);
  EXPECT_EQ(second->spool().fenced, 0);
  expect_charged(*first, price_of(3) + price_of(5), 2);
}

TEST_F(OutageTest, WhatAGatewayThatNeverComesBackHeldIsEndedALeaseAfterIt) {
  lease_ = milliseconds(1000);
  WayThrough way(server().directory());
  const auto first = open("first");
  const auto lost = open_through(way, "lost");
  ASSERT_TRUE(hold(*lost, "one"));
  ASSERT_TRUE(mark(*lost, "one", 4));
  way.become(WayThrough::State::kRefused);
  server().stop(SIGINT);
  std::this_thread::sleep_for(lease_ + milliseconds(500));
  server().start();
  wait_until_told(*first);
  while (!first->balance("default") || !first->balance("default")->pending.is_zero()) {
    std::this_thread::sleep_for(milliseconds(20));
  }
  expect_charged(*first, price_of(4), 1);
}

TEST_F(OutageTest, AStopWhileTheDatabaseHangsTakesSecondsAndLosesNothing) {
  auto ledger = open();
  ASSERT_TRUE(hold(*ledger, "one"));
  server().freeze();
  EXPECT_TRUE(settle(*ledger, "one", 5)->spooled);
  EXPECT_LT(time_of([&] { ledger.reset(); }), std::chrono::seconds(8));
  server().thaw();
  ledger = open();
  expect_charged(*ledger, price_of(5), 1);
}

TEST_F(OutageTest, AStopWhereNothingIsCarriedTakesSecondsToo) {
  WayThrough way(server().directory());
  auto ledger = open_through(way);
  ASSERT_TRUE(hold(*ledger, "one"));
  way.become(WayThrough::State::kVanished);
  EXPECT_TRUE(settle(*ledger, "one", 5)->spooled);
  EXPECT_LT(time_of([&] { ledger.reset(); }), std::chrono::seconds(8));
  ledger = open();
  expect_charged(*ledger, price_of(5), 1);
}

}  // namespace
}  // namespace feilun::ledger
