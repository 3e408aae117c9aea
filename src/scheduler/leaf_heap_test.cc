#include "scheduler/leaf_heap.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <tuple>

namespace feilun::scheduler {
namespace {

TEST(LeafHeap, PutsTheLowestScoreOnTopAndOfEqualsTheDeepest) {
  LeafHeap heap(4);
  heap.push({.score = 2, .depth = 9, .block = 0});
  heap.push({.score = 1, .depth = 3, .block = 1});
  heap.push({.score = 1, .depth = 7, .block = 2});
  heap.push({.score = 1, .depth = 5, .block = 3});
  for (const int32_t block : {2, 3, 1, 0}) {
    ASSERT_EQ(heap.top(), block);
    heap.remove(block);
  }
  EXPECT_TRUE(heap.empty());
}

TEST(LeafHeap, KeepsItsOrderWhenBlocksLeaveFromTheMiddleAndScoresChange) {
  std::mt19937 random(1);
  const auto roll = [&](int sides) { return std::uniform_int_distribution(0, sides - 1)(random); };
  constexpr int kBlocks = 50;
  LeafHeap heap(kBlocks);
  std::set<std::tuple<double, int, int32_t>> expected;  // score, −depth, −block
  std::vector<double> scores(kBlocks);
  for (int turn = 0; turn < 20'000; ++turn) {
    const int32_t block = roll(kBlocks);
    double& score = scores[static_cast<size_t>(block)];
    if (heap.contains(block)) {
      heap.remove(block);
      ASSERT_EQ(expected.erase({score, -(block % 3), -block}), 1u);
    } else {
      score = roll(8);
      heap.push({.score = score, .depth = block % 3, .block = block});
      expected.emplace(score, -(block % 3), -block);
    }
    if (roll(100) == 0) {
      for (double& each : scores) each = roll(8);
      heap.rescore([&](int32_t each) { return scores[static_cast<size_t>(each)]; });
      expected.clear();
      for (int32_t each = 0; each < kBlocks; ++each) {
        if (heap.contains(each)) expected.emplace(scores[static_cast<size_t>(each)], -(each % 3), -each);
      }
    }
    ASSERT_EQ(static_cast<size_t>(heap.size()), expected.size());
    if (!expected.empty()) ASSERT_EQ(heap.top(), -std::get<2>(*expected.begin()));
  }
}

}  // namespace
}  // namespace feilun::scheduler
