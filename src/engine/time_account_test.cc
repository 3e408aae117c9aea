#include "engine/time_account.h"

#include <gtest/gtest.h>

#include <random>

namespace feilun::engine {
namespace {

using std::chrono::nanoseconds;

TEST(TimeAccount, LeavesNoGapBetweenStepsAndIdling) {
  std::mt19937_64 random(5);
  const MonoTime begin(nanoseconds(1'000'000));
  MonoTime now = begin;
  TimeAccount account(now);
  nanoseconds busy{0};
  for (int i = 0; i < 1'000; ++i) {
    now += nanoseconds(random() % 1'000);
    if (random() % 3 == 0) {
      account.rest();
      continue;
    }
    account.work(now);
    now += nanoseconds(random() % 1'000);
    busy += account.step(now);
    EXPECT_EQ(busy + account.idle(), now - begin);
  }
}

TEST(TimeAccount, RestsFromTheEndOfTheLastStep) {
  TimeAccount account(MonoTime(nanoseconds(10)));
  EXPECT_EQ(account.idle_since(), MonoTime(nanoseconds(10)));
  account.work(MonoTime(nanoseconds(15)));
  EXPECT_FALSE(account.idle_since());
  EXPECT_EQ(account.step(MonoTime(nanoseconds(25))).count(), 10);
  EXPECT_EQ(account.step(MonoTime(nanoseconds(32))).count(), 7) << "what lies between belongs to the second";
  account.rest();
  account.rest();
  EXPECT_EQ(account.idle_since(), MonoTime(nanoseconds(32)));
  account.work(MonoTime(nanoseconds(40)));
  EXPECT_EQ(account.idle().count(), 5 + 8);
}

}  // namespace
}  // namespace feilun::engine
