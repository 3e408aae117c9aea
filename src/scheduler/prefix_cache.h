#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/money.h"
#include "scheduler/block_pool.h"
#include "scheduler/eviction_policy.h"
#include "scheduler/leaf_heap.h"

namespace feilun::scheduler {

/// Who may share blocks: sequences of equal salt. The server gives every tenant a salt of its own and never
/// takes one from a request, or a tenant could learn from response times what others have asked.
using CacheSalt = uint64_t;

struct PrefixCacheOptions {
  int block_count = 0;
  int block_tokens = 16;
  CachePolicy policy = CachePolicy::kGittins;
  bool share_across_tenants = false;  ///< every salt counts as the same
  /// A secret of the process: without it nobody can prepare prompts that all meet in one bucket.
  uint64_t hash_key = 0x9e3779b97f4a7c15;
  int hash_bits = 64;  ///< fewer make collisions likely: for tests
};

/// One live sequence's KV blocks in the order of their positions. Its owner keeps it and passes it to the
/// cache, which alone changes it. The first `published` blocks lie in the tree: full, perhaps shared, never
/// to be written again. Those behind them are this sequence's alone.
struct BlockTable {
  CacheSalt salt = 0;
  std::vector<int32_t> blocks;
  int published = 0;
  bool arrived = false;  ///< match() has been asked since the table was empty
  int unseen = 0;  ///< of the published, those that nobody had computed as far back as the policy remembers
};

/// What match() would give.
struct PrefixMatch {
  int blocks = 0;  ///< cached blocks that begin the sequence
  int idle = 0;    ///< of these, the ones nobody uses: pinning them takes so many from available()
};

/// Owns all KV blocks and remembers what lies in them, so that a sequence which begins like an earlier one
/// starts behind the part they share.
///
/// Published blocks form a tree: a block's identity is its sixteen tokens, its parent, and at the root the
/// salt. A keyed 64-bit chain hash finds the candidate; parent and tokens are then compared, so a collision
/// costs a miss and never a wrong answer. A block is in use while a sequence holds it (its ancestors are held
/// too), otherwise cached. Only a cached leaf is ever evicted, in the order of the policy.
///
/// A sequence's life:
///
///     BlockTable table{.salt = tenant};
///     computed = cache.match(table, tokens, now);            // pins what is cached
///     if (!cache.reserve(table, computed + chunk, now)) …    // all blocks are in use: preempt somebody
///     … the step computes the chunk, computed += chunk …
///     cache.publish(table, tokens.first(computed), now);     // full blocks are shared from here on
///     cache.release(table, FinishClass::kEnd, now);          // the end, a cancellation or a preemption
///
/// No threads, no clock: `now` is a parameter and never goes back. Matching and publishing cost a hash and a
/// look-up a block; evicting a block O(log leaves).
class PrefixCache {
 public:
  explicit PrefixCache(const PrefixCacheOptions& options);
  ~PrefixCache();

  /// Appends to the table the longest cached continuation and pins it; returns the tokens that the published
  /// blocks now cover. `tokens` are all the sequence has, and at least the last of them is left to compute.
  /// Good at any time, not only for an empty table: a neighbour with the same prompt may have got ahead.
  /// Blocks of its own that are thereby replaced are given back.
  TokenCount match(BlockTable& table, std::span<const int32_t> tokens, MonoTime now);
  /// What match() on an empty table would find; changes nothing.
  PrefixMatch peek(CacheSalt salt, std::span<const int32_t> tokens) const;

  /// Grows the table until it has room for `length` tokens, evicting as needed. False when every block is in
  /// use; what could be had stays in the table.
  bool reserve(BlockTable& table, TokenCount length, MonoTime now);

  /// Puts the table's full blocks into the tree. `computed` are the tokens whose K/V lie in the table; those
  /// of earlier calls are the same. Where the tree has such a block already, the table takes that one and its
  /// own is freed: equal tokens behind equal tokens have bit-equal K/V. So the table's blocks may change
  /// here.
  void publish(BlockTable& table, std::span<const int32_t> computed, MonoTime now);

  /// The sequence gives up its blocks and the table is empty: published ones stay cached, the others are
  /// free.
  void release(BlockTable& table, FinishClass finish, MonoTime now);

  int block_tokens() const { return options_.block_tokens; }
  int total() const { return pool_.total(); }
  int free() const { return pool_.free(); }
  /// Blocks that only the memory of the past holds.
  int cached() const { return cached_; }
  /// Blocks of live sequences, each counted once.
  int used() const { return total() - free() - cached_; }
  /// Blocks that reserve() could hand out.
  int available() const { return free() + cached_; }
  uint64_t evictions() const { return evictions_; }
  const EvictionPolicy& policy() const { return *policy_; }

  /// CHECKs all that must hold between the tree, the counts and the tables of all live sequences; O(blocks).
  void check(std::span<const BlockTable* const> live) const;

 private:
  struct Block {
    uint64_t hash = 0;     ///< of the chain that ends here; only if published
    int32_t parent = -1;   ///< -1 at the root
    int32_t depth = 0;     ///< blocks before it in its chain
    int32_t children = 0;  ///< resident ones
    int32_t uses = 0;      ///< sequences that hold it
    CacheSalt salt = 0;    ///< of its chain
    bool published = false;
  };

  int in_tree() const { return static_cast<int>(by_hash_.size()); }
  Block& at(int32_t block) { return blocks_[static_cast<size_t>(block)]; }
  const Block& at(int32_t block) const { return blocks_[static_cast<size_t>(block)]; }
  std::span<int32_t> tokens_of(int32_t block);
  std::span<const int32_t> tokens_of(int32_t block) const;
  CacheSalt root_of(CacheSalt salt) const { return options_.share_across_tenants ? 0 : salt; }
  /// The most blocks that may be found of these tokens.
  int most_found(std::span<const int32_t> tokens) const;
  static int32_t last_published(const BlockTable& table);
  /// Of the chain that ends in `block`, or of the empty one.
  uint64_t hash_of(int32_t block, CacheSalt root) const;
  uint64_t chain_hash(uint64_t parent, std::span<const int32_t> tokens) const;
  /// The published block of this identity, or -1.
  int32_t find(uint64_t hash, int32_t parent, CacheSalt root, std::span<const int32_t> tokens) const;
  std::span<const int32_t> slice(std::span<const int32_t> tokens, int index) const;
  void hold(int32_t block, MonoTime now);
  void insert(int32_t block, uint64_t hash, int32_t parent, CacheSalt root, std::span<const int32_t> tokens);
  /// Makes `block` the table's block behind the published ones.
  void adopt(BlockTable& table, int32_t block);
  void discard(std::span<const int32_t> blocks);
  bool evict_one(MonoTime now);
  void offer(int32_t leaf, MonoTime now);

  PrefixCacheOptions options_;
  BlockPool pool_;
  std::vector<Block> blocks_;
  std::vector<int32_t> tokens_;  ///< of all blocks, block after block
  std::unordered_map<uint64_t, int32_t> by_hash_;
  std::unique_ptr<EvictionPolicy> policy_;
  LeafHeap leaves_;  ///< cached blocks without children, the next victim on top
  uint64_t scored_ = 0;
  std::vector<uint64_t> chain_;  ///< scratch of match()
  int cached_ = 0;
  uint64_t evictions_ = 0;
};

}  // namespace feilun::scheduler
