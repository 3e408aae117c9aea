#include "scheduler/prompt_lookup.h"

#include <gtest/gtest.h>

#include <vector>

namespace feilun::scheduler {
namespace {

std::vector<int32_t> guess_after(const std::vector<int32_t>& tokens, int64_t most) {
  PromptLookup lookup(42);
  lookup.read(tokens);
  const auto guess = lookup.guess(tokens, most);
  return {guess.begin(), guess.end()};
}

using Tokens = std::vector<int32_t>;

TEST(PromptLookup, GuessesWhatFollowedTheLastThreeTokens) {
  EXPECT_EQ(guess_after({1, 2, 3, 4, 5, 6, 1, 2, 3}, 2), (Tokens{4, 5}));
  EXPECT_EQ(guess_after({1, 2, 3, 4, 5, 6, 1, 2, 3}, 100), (Tokens{4, 5, 6, 1, 2, 3}));
}

TEST(PromptLookup, PrefersTheNewestOfSeveralPlaces) {
  EXPECT_EQ(guess_after({1, 2, 3, 7, 1, 2, 3, 8, 1, 2, 3}, 1), (Tokens{8}));
}

TEST(PromptLookup, GuessesNothingWhereTheTokensAreNew) {
  EXPECT_TRUE(guess_after({}, 4).empty());
  EXPECT_TRUE(guess_after({1, 2}, 4).empty());
  EXPECT_TRUE(guess_after({1, 2, 3}, 4).empty());
  EXPECT_TRUE(guess_after({1, 2, 3, 9, 2, 3}, 4).empty());
  EXPECT_TRUE(guess_after({1, 2, 3, 4, 1, 2, 3}, 0).empty());
}

TEST(PromptLookup, FollowsARepetition) {
  EXPECT_EQ(guess_after({5, 5, 5, 5}, 4), (Tokens{5}));
}

TEST(PromptLookup, ReadsInPiecesAsAtOnce) {
  const Tokens tokens = {1, 2, 3, 4, 1, 2, 3, 5, 2, 3, 4, 1};
  PromptLookup pieces(7);
  for (size_t count = 0; count <= tokens.size(); count += 2) pieces.read(std::span(tokens).first(count));
  const auto guess = pieces.guess(tokens, 3);
  EXPECT_EQ(Tokens(guess.begin(), guess.end()), guess_after(tokens, 3));
}

}  // namespace
}  // namespace feilun::scheduler
