#include "scheduler/block_pool.h"

#include <gtest/gtest.h>

#include <set>

namespace feilun::scheduler {
namespace {

TEST(BlockPool, HandsOutEachBlockOnce) {
  BlockPool pool(5);
  std::set<int32_t> blocks;
  while (pool.free() > 0) blocks.insert(pool.take());
  EXPECT_EQ(blocks, (std::set<int32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(pool.used(), 5);
}

TEST(BlockPool, GivesOutAgainWhatCameBack) {
  BlockPool pool(2);
  const int32_t first = pool.take();
  pool.take();
  pool.give_back(std::span(&first, 1));
  EXPECT_EQ(pool.free(), 1);
  EXPECT_EQ(pool.take(), first);
}

TEST(BlockPoolDeathTest, NoticesABlockGivenBackTwice) {
  BlockPool pool(2);
  const int32_t block = pool.take();
  pool.give_back(std::span(&block, 1));
  EXPECT_DEATH(pool.give_back(std::span(&block, 1)), "held_");
}

}  // namespace
}  // namespace feilun::scheduler
