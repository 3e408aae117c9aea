// Random sequences against a model so plain that it can be believed: a map from every cached beginning of a
// text to who uses it, searched from end to end wherever the cache has a structure. Beside it a pretended KV
// memory, in which each sequence writes its tokens where the cache told it to and must find them again.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "scheduler/prefix_cache.h"

namespace feilun::scheduler {
namespace {

using Tokens = std::vector<int32_t>;

constexpr int kBlockTokens = 4;

class LruModel {
 public:
  explicit LruModel(int blocks) : total_(blocks) {}

  int match(CacheSalt salt, const Tokens& tokens) const {
    int found = 0;
    while ((found + 1) * kBlockTokens < std::ssize(tokens) && nodes_.contains(key(salt, tokens, found + 1)))
      ++found;
    return found;
  }
  void hold(CacheSalt salt, const Tokens& tokens, int depth) { ++nodes_[key(salt, tokens, depth)].uses; }
  bool has(CacheSalt salt, const Tokens& tokens, int depth) const {
    return nodes_.contains(key(salt, tokens, depth));
  }
  void count_private(int by) { private_ += by; }
  int free() const { return total_ - private_ - static_cast<int>(nodes_.size()); }
  int cached() const {
    return static_cast<int>(
        std::ranges::count_if(nodes_, [](const auto& node) { return node.second.uses == 0; }));
  }
  bool evict() {
    auto victim = nodes_.end();
    for (auto node = nodes_.begin(); node != nodes_.end(); ++node) {
      if (node->second.uses > 0 || has_child(node->first)) continue;
      if (victim == nodes_.end() || node->second.released < victim->second.released) victim = node;
    }
    if (victim == nodes_.end()) return false;
    nodes_.erase(victim);
    return true;
  }
  void release(CacheSalt salt, const Tokens& tokens, int depth) {
    ++releases_;
    for (; depth > 0; --depth) {
      Node& node = nodes_.at(key(salt, tokens, depth));
      --node.uses;
      node.released = releases_;
    }
  }
  template <typename Visit>
  void each(Visit visit) const {
    for (const auto& [beginning, node] : nodes_) visit(beginning.first, beginning.second);
  }

 private:
  using Key = std::pair<CacheSalt, Tokens>;
  struct Node {
    int uses = 0, released = 0;
  };

  static Key key(CacheSalt salt, const Tokens& tokens, int depth) {
    return {salt, Tokens(tokens.begin(), tokens.begin() + depth * kBlockTokens)};
  }
  bool has_child(const Key& parent) const {
    return std::ranges::any_of(nodes_, [&](const auto& node) {
      return node.first.first == parent.first &&
             node.first.second.size() == parent.second.size() + kBlockTokens &&
             std::ranges::equal(parent.second, std::span(node.first.second).first(parent.second.size()));
    });
  }

  int total_, private_ = 0, releases_ = 0;
  std::map<Key, Node> nodes_;
};

class Game {
 public:
  Game(PrefixCacheOptions options, uint64_t seed)
      : exact_(options.policy == CachePolicy::kLru && options.hash_bits == 64),
        cache_(options),
        model_(options.block_count),
        memory_(static_cast<size_t>(options.block_count)),
        random_(seed) {}

  void turn() {
    now_ += std::chrono::milliseconds(roll(3000));
    const int what = roll(8);
    if (live_.size() < 4 && what < 3) {
      start();
    } else if (!live_.empty() && what < 7) {
      advance(live_[static_cast<size_t>(roll(static_cast<int>(live_.size())))]);
    } else if (!live_.empty()) {
      end(roll(static_cast<int>(live_.size())));
    }
    verify();
  }
  void finish() {
    while (!live_.empty()) end(0);
    verify();
    EXPECT_EQ(cache_.used(), 0);
    log_.push_back(static_cast<int>(cache_.evictions()));
  }
  const std::vector<int>& log() const { return log_; }
  int found() const { return found_; }
  uint64_t evictions() const { return cache_.evictions(); }

 private:
  struct Sequence {
    Tokens tokens;
    BlockTable table;
    int computed = 0;
  };

  int roll(int sides) { return std::uniform_int_distribution(0, sides - 1)(random_); }

  void start() {
    Sequence sequence{.tokens = past_.empty() || roll(4) == 0
                                    ? Tokens{}
                                    : past_[static_cast<size_t>(roll(static_cast<int>(past_.size())))],
                      .table = {.salt = static_cast<CacheSalt>(roll(2))}};
    sequence.tokens.resize(static_cast<size_t>(roll(static_cast<int>(sequence.tokens.size()) + 1)));
    for (int more = 1 + roll(14); more > 0; --more) sequence.tokens.push_back(roll(3));
    past_.push_back(sequence.tokens);
    live_.push_back(std::move(sequence));
    match(live_.back());
  }

  void match(Sequence& sequence) {
    BlockTable& table = sequence.table;
    const int before = table.published;
    const int own = static_cast<int>(table.blocks.size()) - before;
    const int expected = model_.match(table.salt, sequence.tokens);
    const auto peeked = cache_.peek(table.salt, sequence.tokens);
    const TokenCount covered = cache_.match(table, sequence.tokens, now_);
    ASSERT_EQ(covered, table.published * kBlockTokens);
    if (exact_) {
      ASSERT_EQ(table.published, std::max(before, expected));
      ASSERT_EQ(peeked.blocks, expected);
    }
    for (int depth = before + 1; depth <= table.published; ++depth)
      model_.hold(table.salt, sequence.tokens, depth);
    model_.count_private(-std::min(own, table.published - before));
    sequence.computed = std::max(sequence.computed, static_cast<int>(covered));
    found_ += table.published - before;
    log_.push_back(table.published);
  }

  void advance(Sequence& sequence) {
    if (roll(4) == 0) match(sequence);
    const int known = static_cast<int>(sequence.tokens.size());
    const int end = std::min(known, sequence.computed + 1 + roll(9));
    const int needed = (end + kBlockTokens - 1) / kBlockTokens;
    bool room = true;
    for (int held = static_cast<int>(sequence.table.blocks.size()); held < needed && room; ++held) {
      if (exact_ && model_.free() == 0) room = model_.evict();
      if (room) model_.count_private(1);
    }
    const auto before = static_cast<int>(sequence.table.blocks.size());
    const bool reserved = cache_.reserve(sequence.table, end, now_);
    if (exact_) ASSERT_EQ(reserved, room);
    log_.push_back(static_cast<int>(sequence.table.blocks.size()) - before);
    if (!reserved) return;
    for (; sequence.computed < end; ++sequence.computed) write(sequence, sequence.computed);
    publish(sequence);
    if (sequence.computed == known) sequence.tokens.push_back(roll(3));
  }

  void write(const Sequence& sequence, int position) {
    const auto place = static_cast<size_t>(position / kBlockTokens);
    ASSERT_GE(place, static_cast<size_t>(sequence.table.published)) << "a shared block is written to";
    auto& block = memory_[static_cast<size_t>(sequence.table.blocks[place])];
    block.resize(static_cast<size_t>(position % kBlockTokens));
    block.push_back(sequence.tokens[static_cast<size_t>(position)]);
  }

  void publish(Sequence& sequence) {
    BlockTable& table = sequence.table;
    const int before = table.published;
    cache_.publish(table, std::span(sequence.tokens).first(static_cast<size_t>(sequence.computed)), now_);
    if (exact_) ASSERT_EQ(table.published, sequence.computed / kBlockTokens);
    for (int depth = before + 1; depth <= table.published; ++depth)
      model_.hold(table.salt, sequence.tokens, depth);
    model_.count_private(before - table.published);
  }

  void end(int which) {
    Sequence& sequence = live_[static_cast<size_t>(which)];
    model_.release(sequence.table.salt, sequence.tokens, sequence.table.published);
    model_.count_private(sequence.table.published - static_cast<int>(sequence.table.blocks.size()));
    cache_.release(sequence.table, static_cast<FinishClass>(roll(kFinishClasses)), now_);
    past_.push_back(std::move(sequence.tokens));
    if (past_.size() > 12) past_.erase(past_.begin());
    live_.erase(live_.begin() + which);
  }

  void verify() {
    std::vector<const BlockTable*> tables;
    for (const Sequence& sequence : live_) {
      tables.push_back(&sequence.table);
      for (int position = 0; position < sequence.computed; ++position) {
        const auto place = static_cast<size_t>(position / kBlockTokens);
        const auto& block = memory_[static_cast<size_t>(sequence.table.blocks[place])];
        ASSERT_EQ(block.at(static_cast<size_t>(position % kBlockTokens)),
                  sequence.tokens[static_cast<size_t>(position)]);
      }
    }
    cache_.check(tables);
    if (!exact_) return;
    ASSERT_EQ(cache_.free(), model_.free());
    ASSERT_EQ(cache_.cached(), model_.cached());
    model_.each([&](CacheSalt salt, Tokens beginning) {
      const auto depth = static_cast<int>(beginning.size()) / kBlockTokens;
      beginning.push_back(9);
      ASSERT_EQ(cache_.peek(salt, beginning).blocks, depth) << "something else was evicted";
    });
  }

  bool exact_;  ///< else the model does not know what is evicted or may be published
  PrefixCache cache_;
  LruModel model_;
  std::vector<Tokens> memory_;
  std::mt19937_64 random_;
  std::vector<Sequence> live_;
  std::vector<Tokens> past_;
  std::vector<int> log_;
  int found_ = 0;
  MonoTime now_{};
};

struct Played {
  std::vector<int> log;
  int found;
  uint64_t evictions;
};

Played play(PrefixCacheOptions options, uint64_t seed, int turns) {
  Game game(options, seed);
  for (int turn = 0; turn < turns && !::testing::Test::HasFatalFailure(); ++turn) game.turn();
  if (!::testing::Test::HasFatalFailure()) game.finish();
  return {game.log(), game.found(), game.evictions()};
}

void play_many(CachePolicy policy, int hash_bits) {
  int found = 0;
  uint64_t evictions = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    const Played played = play({.block_count = 6 + static_cast<int>(seed),
                                .block_tokens = kBlockTokens,
                                .policy = policy,
                                .hash_bits = hash_bits},
                               seed, 400);
    if (::testing::Test::HasFatalFailure()) return;
    found += played.found;
    evictions += played.evictions;
  }
  EXPECT_GT(found, 300) << "hardly anything was shared: the test shows less than it says";
  if (hash_bits == 64) EXPECT_GT(evictions, 1000u) << "the cache was never tight";
}

TEST(PrefixCacheRandom, DoesWhatAPlainModelDoesUnderLru) {
  play_many(CachePolicy::kLru, 64);
}

TEST(PrefixCacheRandom, KeepsItsBooksAndEveryTokenUnderGittins) {
  play_many(CachePolicy::kGittins, 64);
}

TEST(PrefixCacheRandom, MixesNothingUpWhenHashesCollide) {
  play_many(CachePolicy::kLru, 5);
  play_many(CachePolicy::kGittins, 5);
}

TEST(PrefixCacheRandom, DoesTheSameForTheSameEvents) {
  const PrefixCacheOptions options{.block_count = 20, .block_tokens = kBlockTokens};
  const Played first = play(options, 7, 2000);
  EXPECT_GT(first.evictions, 100u);
  EXPECT_EQ(first.log, play(options, 7, 2000).log);
}

}  // namespace
}  // namespace feilun::scheduler
