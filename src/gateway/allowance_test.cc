#include "gateway/allowance.h"

#include <gtest/gtest.h>

#include <vector>

namespace feilun::gateway {
namespace {

TEST(Allowance, OneShareTakesAllItCanUse) {
  std::vector<Share> shares = {{.ceiling = 10}};
  EXPECT_EQ(divide(7, shares), 0);
  EXPECT_EQ(shares[0].allowed, 7);
  EXPECT_EQ(divide(30, shares), 20);
  EXPECT_EQ(shares[0].allowed, 10);
}

TEST(Allowance, TheRemainderGoesToTheFirst) {
  std::vector<Share> shares(3, {.ceiling = 100});
  EXPECT_EQ(divide(11, shares), 0);
  EXPECT_EQ(shares[0].allowed, 4);
  EXPECT_EQ(shares[1].allowed, 4);
  EXPECT_EQ(shares[2].allowed, 3);
}

TEST(Allowance, TheLowestRiseFirst) {
  std::vector<Share> shares = {{.allowed = 8, .ceiling = 100}, {.allowed = 2, .ceiling = 100}};
  EXPECT_EQ(divide(14, shares), 0);
  EXPECT_EQ(shares[0].allowed, 8);
  EXPECT_EQ(shares[1].allowed, 6);
}

TEST(Allowance, NeverFallsEvenWhenTheBudgetIsOverdrawn) {
  std::vector<Share> shares = {{.allowed = 8, .ceiling = 100}};
  EXPECT_EQ(divide(5, shares), 0);
  EXPECT_EQ(shares[0].allowed, 8);
}

TEST(Allowance, AFinishedShareCountsWhatItProduced) {
  std::vector<Share> shares = {{.allowed = 50, .ceiling = 100, .output = 5, .finished = true},
                               {.allowed = 1, .ceiling = 100}};
  EXPECT_EQ(divide(60, shares), 0);
  EXPECT_EQ(shares[1].allowed, 55);
}

TEST(Allowance, NoShareNoUse) {
  std::vector<Share> shares;
  EXPECT_EQ(divide(9, shares), 9);
}

}  // namespace
}  // namespace feilun::gateway
