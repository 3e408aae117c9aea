#include <gtest/gtest.h>

#include "base/check.h"
#include "scheduler/virtual_machine.h"

/// What sequences that begin alike save each other.
namespace feilun::scheduler {
namespace {

TEST(SchedulerCache, StartsBehindWhatAnEarlierRequestComputed) {
  VirtualMachine machine({.block_count = 100});
  machine.submit({.id = 1, .prompt = 100, .output = 5, .topic = 1, .opening = 80});
  machine.run();
  machine.submit({.id = 2, .prompt = 100, .output = 5, .topic = 1, .opening = 80});
  machine.step();
  const PlannedSlice& slice = machine.plans().back().slices.at(0);
  EXPECT_EQ(slice.from, 80);
  EXPECT_EQ(slice.cached, 80);
  EXPECT_EQ(slice.count, 20);
  EXPECT_EQ(slice.recomputed, 0);
  machine.run();
  EXPECT_EQ(machine.of(2).cached, 80) << "told once";
}

TEST(SchedulerCache, ComputesAtLeastTheLastTokenOfAPrompt) {
  VirtualMachine machine({.block_count = 100});
  for (SequenceId id = 1; id <= 2; ++id) {
    machine.submit({.id = id, .prompt = 64, .output = 1, .topic = 1, .opening = 64});
    machine.run();
  }
  EXPECT_EQ(machine.of(2).cached, 48);
  EXPECT_EQ(machine.of(2).tokens.size(), 1u);
}

TEST(SchedulerCache, KeepsTenantsApartUnlessTheyShare) {
  for (const bool share : {false, true}) {
    VirtualMachine machine({.block_count = 100, .share_prefixes = share});
    for (TenantId tenant = 1; tenant <= 2; ++tenant) {
      machine.submit(
          {.id = tenant, .prompt = 100, .output = 2, .tenant = tenant, .topic = 1, .opening = 100});
      machine.run();
    }
    EXPECT_EQ(machine.of(2).cached, share ? 96 : 0);
  }
}

TEST(SchedulerCache, TwinsThatArriveTogetherComputeOnce) {
  VirtualMachine machine({.block_count = 200, .prefill_chunk = 64});
  for (SequenceId id = 1; id <= 4; ++id) {
    machine.submit({.id = id, .prompt = 200, .output = 3, .topic = 1, .opening = 200});
  }
  machine.run();
  int cached = 0;
  for (SequenceId id = 1; id <= 4; ++id) cached += machine.of(id).cached;
  EXPECT_EQ(machine.of(1).cached, 0);
  EXPECT_GE(cached, 3 * 128) << "all but a chunk that two of them began in the same step";
}

TEST(SchedulerCache, SharesBlocksOfRunningSequencesInEqualParts) {
  VirtualMachine machine({.block_count = 100});
  machine.submit({.id = 1, .prompt = 65, .output = 50, .topic = 1, .opening = 64});
  machine.step();
  machine.submit({.id = 2, .prompt = 65, .output = 50, .topic = 1, .opening = 64});
  machine.step();
  EXPECT_EQ(machine.scheduler().cache().used(), 6) << "four together, one each";
  for (const auto& [id, blocks] : machine.scheduler().holdings()) EXPECT_NEAR(blocks, 3.0, 1e-9) << id;
}

TEST(SchedulerCache, APreemptedSequenceFindsItsOwnBlocksAgain) {
  VirtualMachine machine({.block_count = 40});
  machine.submit({.id = 1, .prompt = 300, .output = 30, .tier = Tier::kBatch});
  for (int i = 0; i < 5; ++i) machine.step();
  // Needs 25 of the 40 blocks, of which the first holds 20.
  machine.submit({.id = 2, .prompt = 390, .output = 2, .tier = Tier::kPriority});
  machine.run();
  EXPECT_EQ(machine.scheduler().preemptions(), 1u);
  int recomputed = 0;
  for (const StepPlan& plan : machine.plans()) {
    for (const PlannedSlice& slice : plan.slices) recomputed += slice.recomputed;
  }
  EXPECT_GT(recomputed, 0);
  EXPECT_LT(recomputed, 150) << "fifteen blocks could stay";
  EXPECT_EQ(machine.of(1).cached, 0) << "its own blocks are no discount";
  EXPECT_EQ(machine.of(1).tokens.size(), 30u);
}

TEST(SchedulerCache, GivesWayToLiveSequences) {
  VirtualMachine machine({.block_count = 20});
  for (SequenceId id = 1; id <= 30; ++id) {
    machine.submit({.id = id, .prompt = 100, .output = 20});
    machine.run();
    EXPECT_EQ(machine.of(id).tokens.size(), 20u);
  }
  EXPECT_EQ(machine.scheduler().preemptions(), 0u);
  EXPECT_EQ(machine.scheduler().cache().used(), 0);
  EXPECT_GT(machine.scheduler().cache().cached(), 10);
}

}  // namespace
}  // namespace feilun::scheduler
