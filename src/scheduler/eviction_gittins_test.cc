#include "scheduler/eviction_gittins.h"

#include <gtest/gtest.h>

#include "scheduler/prefix_cache.h"

namespace feilun::scheduler {
namespace {

using Tokens = std::vector<int32_t>;

constexpr int kBlockTokens = 16;

/// Agents that call a tool every few seconds, and between them visitors who never return.
class Traffic {
 public:
  explicit Traffic(CachePolicy policy)
      : cache_({.block_count = 400, .block_tokens = kBlockTokens, .policy = policy}) {}

  /// Share of the agents' tokens that were cached.
  double run(int seconds) {
    int64_t tokens = 0, cached = 0;
    for (int second = 0; second < seconds; ++second) {
      now_ += std::chrono::seconds(1);
      const int agent = second % 10;
      Tokens& talk = agents_[static_cast<size_t>(agent)];
      if (second % 200 < 10) talk = text(160);
      const Tokens news = text(16);
      talk.insert(talk.end(), news.begin(), news.end());
      tokens += std::ssize(talk);
      cached += serve(talk, FinishClass::kEnd);
      serve(text(640), FinishClass::kOther);
    }
    return static_cast<double>(cached) / static_cast<double>(tokens);
  }

 private:
  Tokens text(int length) {
    Tokens tokens;
    for (int i = 0; i < length; ++i) tokens.push_back(next_token_++);
    return tokens;
  }

  int64_t serve(const Tokens& tokens, FinishClass finish) {
    BlockTable table;
    const TokenCount cached = cache_.match(table, tokens, now_);
    EXPECT_TRUE(cache_.reserve(table, std::ssize(tokens), now_));
    cache_.publish(table, tokens, now_);
    cache_.release(table, finish, now_);
    return cached;
  }

  PrefixCache cache_;
  std::array<Tokens, 10> agents_;
  int32_t next_token_ = 0;
  MonoTime now_{};
};

TEST(GittinsEviction, KeepsTheAgentsAndLetsTheVisitorsGo) {
  Traffic lru(CachePolicy::kLru), gittins(CachePolicy::kGittins);
  EXPECT_LT(lru.run(2000), 0.3) << "the visitors fill the cache between two calls of an agent";
  gittins.run(200);
  EXPECT_GT(gittins.run(1800), 0.8);
}

TEST(GittinsEviction, RemembersWhatItHadToEvict) {
  GittinsEviction policy(2, kBlockTokens);
  const int32_t block = 0;
  EXPECT_FALSE(policy.inserted(block, 77, MonoTime{}));
  policy.released({.blocks = std::span(&block, 1), .unseen = 1}, MonoTime{});
  policy.evicted(block, 77, MonoTime{});
  EXPECT_TRUE(policy.inserted(1, 77, MonoTime{}));
  EXPECT_FALSE(policy.inserted(0, 78, MonoTime{}));
}

TEST(GittinsEviction, ForgetsGhostsBeyondFourTimesTheCache) {
  GittinsEviction policy(1, kBlockTokens);
  const int32_t block = 0;
  for (uint64_t hash = 0; hash < 5; ++hash) {
    policy.inserted(block, hash, MonoTime{});
    policy.released({.blocks = std::span(&block, 1), .unseen = 1}, MonoTime{});
    policy.evicted(block, hash, MonoTime{});
  }
  EXPECT_FALSE(policy.inserted(block, 0, MonoTime{}));
  EXPECT_TRUE(policy.inserted(block, 1, MonoTime{}));
}

}  // namespace
}  // namespace feilun::scheduler
