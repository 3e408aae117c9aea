#include "scheduler/policy_duel.h"

#include <gtest/gtest.h>

#include <vector>

namespace feilun::scheduler {
namespace {

using Hashes = std::vector<uint64_t>;

TEST(ShadowLru, HoldsTheYoungestAndForgetsLeavesFirst) {
  ShadowLru lru;
  for (const uint64_t hash : {3, 2, 1}) lru.touch(hash);  // the chain 1 2 3, root last
  for (const uint64_t hash : {4, 1}) lru.touch(hash);     // the chain 1 4
  lru.shrink(3);
  EXPECT_EQ(lru.find(Hashes{1, 2, 3}), 2);
  EXPECT_EQ(lru.find(Hashes{1, 4}), 2);
  lru.shrink(2);
  EXPECT_EQ(lru.find(Hashes{1, 2}), 1);
  EXPECT_EQ(lru.find(Hashes{5, 1}), 0) << "a beginning, not any part";
}

/// Chains of ten blocks that LRU finds whole; the policy finds `found` of each.
void play(PolicyDuel& duel, int found, int chains) {
  Hashes chain;
  for (uint64_t hash = 1; hash <= 10; ++hash) chain.push_back(hash);
  for (const uint64_t hash : chain) duel.touch(hash);
  for (int i = 0; i < chains; ++i) duel.arrived({.chain = chain, .found = found, .room = 1000});
}

TEST(PolicyDuel, GivesTheTurnToLruWhenThePolicyLoses) {
  PolicyDuel duel;
  play(duel, 9, 10);
  EXPECT_FALSE(duel.lru_turn()) << "a few blocks are the stake it may lose";
  play(duel, 9, 90);
  EXPECT_TRUE(duel.lru_turn());
}

TEST(PolicyDuel, GivesThePolicyAnotherChance) {
  PolicyDuel duel;
  play(duel, 0, 10);
  ASSERT_TRUE(duel.lru_turn());
  play(duel, 10, 100'000);
  EXPECT_FALSE(duel.lru_turn());
}

TEST(PolicyDuel, LetsLruKeepTheRootsOfWhatItFinds) {
  PolicyDuel duel;
  const Hashes chain{1, 2, 3};
  for (const uint64_t hash : chain) duel.touch(hash);  // as they are computed: the root is the oldest
  duel.arrived({.chain = chain, .found = 3, .room = 3});
  duel.arrived({.chain = Hashes{9}, .found = 0, .room = 2});
  ASSERT_FALSE(duel.lru_turn());
  duel.arrived({.chain = chain, .found = 0, .room = 2});
  EXPECT_TRUE(duel.lru_turn()) << "LRU still has two of the three blocks";
}

TEST(PolicyDuel, IsNotBoughtByOldWins) {
  PolicyDuel duel;
  play(duel, 0, 1);
  Hashes unknown{100, 101, 102};
  for (int i = 0; i < 100'000; ++i) duel.arrived({.chain = unknown, .found = 3, .room = 1000});
  int lost = 0;
  for (; !duel.lru_turn(); ++lost) play(duel, 9, 1);
  EXPECT_LT(lost, 3'000) << "it had found a hundred thousand more";
}

}  // namespace
}  // namespace feilun::scheduler
