#include "scheduler/prefix_cache.h"

#include <gtest/gtest.h>

#include <numeric>

namespace feilun::scheduler {
namespace {

using Tokens = std::vector<int32_t>;

Tokens prompt(int count, int32_t first = 0) {
  Tokens tokens(static_cast<size_t>(count));
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

Tokens joined(Tokens head, const Tokens& tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

/// A cache whose blocks have four tokens, and the clock that it is told.
struct World {
  explicit World(PrefixCacheOptions options) : cache(options) {}
  explicit World(int blocks, CachePolicy policy = CachePolicy::kLru)
      : cache({.block_count = blocks, .block_tokens = 4, .policy = policy}) {}

  /// What a sequence does until all its tokens are computed; returns how many of them were cached.
  TokenCount begin(BlockTable& table, const Tokens& tokens) {
    const TokenCount cached = cache.match(table, tokens, now);
    EXPECT_TRUE(cache.reserve(table, static_cast<TokenCount>(tokens.size()), now));
    cache.publish(table, tokens, now);
    return cached;
  }
  void end(BlockTable& table) {
    now += std::chrono::seconds(1);
    cache.release(table, FinishClass::kEnd, now);
  }
  TokenCount serve(const Tokens& tokens, CacheSalt salt = 0) {
    BlockTable table{.salt = salt};
    const TokenCount cached = begin(table, tokens);
    end(table);
    cache.check({});
    return cached;
  }
  int matching(const Tokens& tokens, CacheSalt salt = 0) const { return cache.peek(salt, tokens).blocks; }

  PrefixCache cache;
  MonoTime now{};
};

TEST(PrefixCache, FindsThePartThatASequenceSharesWithAnEarlierOne) {
  World world(16);
  EXPECT_EQ(world.serve(prompt(10)), 0);
  EXPECT_EQ(world.serve(joined(prompt(8), prompt(5, 100))), 8);
  EXPECT_EQ(world.serve(joined(prompt(4), prompt(5, 200))), 4);
  EXPECT_EQ(world.serve(prompt(9, 1)), 0) << "the same tokens one place on are other blocks";
  EXPECT_EQ(world.cache.used(), 0);
}

TEST(PrefixCache, LeavesTheLastTokenOfAPromptToCompute) {
  World world(16);
  world.serve(prompt(8));
  EXPECT_EQ(world.serve(prompt(8)), 4);
  EXPECT_EQ(world.serve(prompt(9)), 8);
  EXPECT_EQ(world.serve({}), 0);
}

TEST(PrefixCache, KeepsTheBlocksOfTenantsApart) {
  World world(16);
  world.serve(prompt(9), 1);
  EXPECT_EQ(world.serve(prompt(9), 2), 0);
  EXPECT_EQ(world.serve(prompt(9), 1), 8);
  EXPECT_EQ(world.serve(prompt(9), 2), 8);
}

TEST(PrefixCache, SharesAmongTenantsWhenToldTo) {
  World world(
      {.block_count = 16, .block_tokens = 4, .policy = CachePolicy::kLru, .share_across_tenants = true});
  world.serve(prompt(9), 1);
  EXPECT_EQ(world.serve(prompt(9), 2), 8);
}

TEST(PrefixCache, SharesNothingWhenOff) {
  World world(16, CachePolicy::kOff);
  EXPECT_EQ(world.serve(prompt(9)), 0);
  EXPECT_EQ(world.serve(prompt(9)), 0);
  EXPECT_EQ(world.cache.free(), 16);
}

TEST(PrefixCache, SharesTheBlocksOfASequenceThatStillRuns) {
  World world(16);
  BlockTable first, second;
  world.begin(first, prompt(10));
  EXPECT_EQ(world.begin(second, prompt(10)), 8);
  EXPECT_EQ(first.blocks[1], second.blocks[1]);
  EXPECT_NE(first.blocks[2], second.blocks[2]) << "the open block is each one's own";
  EXPECT_EQ(world.cache.used(), 4);
  world.end(first);
  const BlockTable* live[] = {&second};
  world.cache.check(live);
  EXPECT_EQ(world.cache.used(), 3);
  world.end(second);
  EXPECT_EQ(world.cache.cached(), 2);
}

TEST(PrefixCache, GivesATwinsPlaceToTheBlockThatWasThereFirst) {
  World world(16);
  BlockTable first, second;
  ASSERT_TRUE(world.cache.reserve(first, 8, world.now));
  ASSERT_TRUE(world.cache.reserve(second, 8, world.now));
  EXPECT_EQ(world.cache.used(), 4);
  world.cache.publish(first, prompt(8), world.now);
  world.cache.publish(second, prompt(8), world.now);
  EXPECT_EQ(first.blocks, second.blocks);
  EXPECT_EQ(world.cache.used(), 2);
  const BlockTable* live[] = {&first, &second};
  world.cache.check(live);
}

TEST(PrefixCache, LetsALateSequenceTakeWhatItsNeighbourHasComputedSince) {
  World world(16);
  BlockTable ahead, behind;
  ASSERT_TRUE(world.cache.reserve(behind, 12, world.now));
  world.cache.publish(behind, prompt(4), world.now);
  world.begin(ahead, prompt(12));
  EXPECT_EQ(world.cache.match(behind, prompt(12), world.now), 8);
  EXPECT_EQ(behind.blocks.size(), 3u) << "its own second block has gone back, the third stays";
  EXPECT_EQ(world.cache.used(), 4);
  const BlockTable* live[] = {&ahead, &behind};
  world.cache.check(live);
}

TEST(PrefixCache, EvictsTheLeafUsedLongestAgoAndParentsLast) {
  World world(6);
  world.serve(prompt(9));                          // blocks A B
  world.serve(joined(prompt(4), prompt(5, 100)));  // A C
  world.serve(prompt(9, 200));                     // D E: five cached
  world.serve(prompt(9, 300));                     // needs three, F G cached: B and C go
  EXPECT_EQ(world.matching(prompt(9)), 1) << "A is used as lately as its latest child";
  EXPECT_EQ(world.matching(prompt(9, 200)), 2);
  EXPECT_EQ(world.matching(prompt(9, 300)), 2);
  EXPECT_EQ(world.cache.evictions(), 2u);
}

TEST(PrefixCache, NeverEvictsWhatIsInUse) {
  World world(4);
  BlockTable running;
  world.begin(running, prompt(9));
  BlockTable other;
  EXPECT_FALSE(world.cache.reserve(other, 8, world.now));
  EXPECT_EQ(other.blocks.size(), 1u);
  world.end(other);
  EXPECT_EQ(world.cache.available(), 1);
  world.end(running);
  EXPECT_EQ(world.cache.available(), 4);
  EXPECT_TRUE(world.cache.reserve(other, 16, world.now));
  world.end(other);
  EXPECT_EQ(world.cache.free(), 4);
}

TEST(PrefixCache, CountsTheIdleBlocksOfAMatch) {
  World world(16);
  world.serve(prompt(13));
  EXPECT_EQ(world.cache.peek(0, prompt(13)).idle, 3);
  BlockTable running;
  world.begin(running, prompt(9));
  EXPECT_EQ(world.cache.peek(0, prompt(13)).blocks, 3);
  EXPECT_EQ(world.cache.peek(0, prompt(13)).idle, 1);
}

TEST(PrefixCache, KeepsTheAnswerToo) {
  World world(16);
  Tokens tokens = prompt(6);
  BlockTable table;
  world.begin(table, tokens);
  for (int32_t token = 100; token < 110; ++token) {
    tokens.push_back(token);
    ASSERT_TRUE(world.cache.reserve(table, static_cast<TokenCount>(tokens.size()), world.now));
    world.cache.publish(table, tokens, world.now);
  }
  world.end(table);
  EXPECT_EQ(world.matching(joined(tokens, prompt(3, 500))), 4);
}

}  // namespace
}  // namespace feilun::scheduler
