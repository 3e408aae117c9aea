#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "scheduler/virtual_machine.h"

/// Who is served before whom: tiers, tenants, and that everybody is served in the end.
namespace feilun::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

double ratio(nanoseconds a, nanoseconds b) {
  return static_cast<double>(a.count()) / static_cast<double>(b.count());
}

TEST(Tiers, AMoreUrgentRequestStartsBeforeThoseThatWait) {
  VirtualMachine machine({.block_count = 1'000, .max_sequences = 1});
  for (SequenceId id = 1; id <= 6; ++id) {
    machine.submit({.id = id, .prompt = 50, .output = 50, .tenant = id, .tier = Tier::kFlex});
  }
  machine.step();
  machine.submit({.id = 7, .prompt = 50, .output = 5, .tenant = 7, .tier = Tier::kBatch});
  machine.submit({.id = 8, .prompt = 50, .output = 5, .tenant = 8, .tier = Tier::kDefault});
  machine.submit({.id = 9, .prompt = 50, .output = 5, .tenant = 9, .tier = Tier::kPriority});
  machine.run();
  EXPECT_LT(machine.of(9).tokens.front(), machine.of(8).tokens.front());
  EXPECT_LT(machine.of(8).tokens.front(), machine.of(3).tokens.front());
  EXPECT_GT(machine.of(7).tokens.front(), machine.of(6).tokens.front());
}

TEST(Tiers, AMoreUrgentRequestTakesTheSlotOfAnother) {
  VirtualMachine machine({.block_count = 1'000, .max_sequences = 2});
  for (SequenceId id = 1; id <= 2; ++id) {
    machine.submit({.id = id, .prompt = 50, .output = 200, .tier = Tier::kBatch});
  }
  for (int i = 0; i < 5; ++i) machine.step();
  machine.submit({.id = 3, .prompt = 50, .output = 5, .tier = Tier::kDefault});
  machine.run();
  EXPECT_LT(machine.first_token_after(3), milliseconds(200));
  EXPECT_EQ(machine.scheduler().preemptions(), 0u) << "slots are lent without giving up blocks";
  EXPECT_EQ(machine.of(2).tokens.size(), 200u);
}

TEST(Tiers, AMoreUrgentRequestTakesTheBlocksOfTheCheapestOfTheLowestTier) {
  VirtualMachine machine({.block_count = 100, .cache = CachePolicy::kOff});
  machine.submit({.id = 1, .prompt = 500, .output = 50, .tier = Tier::kBatch});
  machine.submit({.id = 2, .prompt = 400, .output = 50, .tier = Tier::kBatch});
  machine.submit({.id = 3, .prompt = 300, .output = 50, .tier = Tier::kFlex});
  for (int i = 0; i < 8; ++i) machine.step();
  machine.submit({.id = 4, .prompt = 900, .output = 50, .tier = Tier::kDefault});
  machine.step();
  EXPECT_EQ(machine.plans().back().preempted, (std::vector<SequenceId>{2, 1}))
      << "flex keeps running; of the batch the shorter goes first";
  machine.run();
  for (SequenceId id = 1; id <= 4; ++id) EXPECT_EQ(machine.of(id).tokens.size(), 50u) << id;
  EXPECT_LT(machine.of(4).ended, machine.of(1).ended);
}

TEST(Tiers, ARequestThatWouldNotFitBesideItsEqualsStopsNobody) {
  VirtualMachine machine({.block_count = 100});
  machine.submit({.id = 1, .prompt = 1'000, .output = 50, .tier = Tier::kDefault});
  machine.submit({.id = 2, .prompt = 300, .output = 50, .tier = Tier::kBatch});
  for (int i = 0; i < 8; ++i) machine.step();
  machine.submit({.id = 3, .prompt = 1'000, .output = 5, .tier = Tier::kDefault});
  machine.step();
  EXPECT_EQ(machine.scheduler().preemptions(), 0u) << "what 2 could give would not be enough";
  machine.run();
  EXPECT_EQ(machine.of(3).tokens.size(), 5u);
}

/// A machine that more urgent requests keep full for ever.
TEST(Tiers, PatienceEndsForEverybody) {
  VirtualMachine machine({.block_count = 60, .max_sequences = 4, .patience = seconds(10)});
  SequenceId next = 1'000;
  machine.submit({.id = 1, .prompt = 100, .output = 60, .tenant = 1, .tier = Tier::kBatch});
  machine.submit({.id = 2, .prompt = 400, .output = 100, .tenant = 2, .tier = Tier::kFlex});
  const auto flood = [&] {
    while (machine.scheduler().waiting() < 6) {
      machine.submit(
          {.id = next, .prompt = 200, .output = 30, .tenant = 3 + next % 5, .tier = Tier::kPriority});
      ++next;
    }
  };
  while (machine.now() < MonoTime(seconds(9))) {
    flood();
    machine.step();
  }
  EXPECT_TRUE(machine.of(1).tokens.empty() && machine.of(2).tokens.empty()) << "they do wait";
  while (machine.of(1).left > 0 || machine.of(2).left > 0) {
    ASSERT_LT(machine.now(), MonoTime(seconds(120))) << "starved";
    flood();
    machine.step();
  }
}

/// Two tenants keep the machine full, the first with ten times as many requests.
TEST(Fairness, TenantsShareTheMachineHoweverManyRequestsTheySend) {
  VirtualMachine machine({.block_count = 2'000, .max_sequences = 8});
  SequenceId next = 1;
  const auto refill = [&](TenantId tenant, int most, int prompt, int output) {
    int live = 0;
    for (SequenceId id = 1; id < next; ++id)
      live += machine.of(id).tenant == tenant && machine.of(id).left > 0;
    for (; live < most; ++live) {
      machine.submit({.id = next, .prompt = prompt, .output = output, .tenant = tenant});
      ++next;
    }
  };
  nanoseconds dearest{0};
  for (int steps = 0; steps < 2'500; ++steps) {
    refill(1, 80, 60, 30);
    refill(2, 8, 200, 40);
    machine.step();
    dearest = std::max(dearest, machine.now() - MonoTime{} > seconds(5)
                                    ? std::chrono::abs(machine.served(1) - machine.served(2))
                                    : nanoseconds(0));
  }
  EXPECT_NEAR(ratio(machine.served(1), machine.served(2)), 1.0, 0.1);
  // The bound: what the sequences of a full batch take, each at its dearest.
  EXPECT_LT(dearest, 8 * milliseconds(500));
}

TEST(Fairness, ATenantAloneGetsEverything) {
  VirtualMachine machine({.block_count = 2'000, .max_sequences = 8});
  for (SequenceId id = 1; id <= 40; ++id) machine.submit({.id = id, .prompt = 60, .output = 30, .tenant = 1});
  machine.run();
  for (const StepPlan& plan : machine.plans()) EXPECT_LE(plan.slices.size(), 8u);
  EXPECT_GT(machine.plans()[20].slices.size(), 6u);
}

TEST(Fairness, BeingAwayEarnsNoClaim) {
  VirtualMachine machine({.block_count = 2'000, .max_sequences = 4});
  machine.submit({.id = 1, .prompt = 20, .output = 2, .tenant = 2});
  SequenceId next = 10;
  const auto keep_busy = [&](TenantId tenant) {
    int live = 0;
    for (SequenceId id = 10; id < next; ++id)
      live += machine.of(id).tenant == tenant && machine.of(id).left > 0;
    for (; live < 12; ++live, ++next) {
      machine.submit({.id = next, .prompt = 20, .output = 30, .tenant = tenant});
    }
  };
  for (int steps = 0; steps < 1'500; ++steps) {
    keep_busy(1);
    machine.step();
  }
  const nanoseconds before = machine.served(1);
  EXPECT_GT(before, seconds(20));
  for (int steps = 0; steps < 1'500; ++steps) {
    keep_busy(1);
    keep_busy(2);
    machine.step();
  }
  EXPECT_NEAR(ratio(machine.served(1) - before, machine.served(2)), 1.0, 0.15)
      << "tenant 2 must not make up for the time when it wanted nothing";
}

TEST(TenantShares, RemembersOnlyWhatMatters) {
  TenantShares shares;
  TenantShares::Tenant& busy = shares.enter(1);
  for (TenantId id = 2; id <= 50; ++id) {
    TenantShares::Tenant& passing = shares.enter(id);
    shares.charge(passing, nanoseconds(id % 2 == 0 ? 10 : 1'000));
    shares.leave(id);
  }
  shares.charge(busy, nanoseconds(100));
  shares.enter(51);
  shares.leave(51);
  EXPECT_EQ(shares.remembered(), 1u + 24) << "those that had more than the one who stayed";
  EXPECT_EQ(shares.enter(3).counter, 1'000);
  EXPECT_EQ(shares.enter(2).counter, 100) << "lifted";
  for (const TenantId id : {1, 2, 3}) shares.leave(id);
  EXPECT_EQ(shares.remembered(), 0u);
}

}  // namespace
}  // namespace feilun::scheduler
