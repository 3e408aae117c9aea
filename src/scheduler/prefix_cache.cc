#include "scheduler/prefix_cache.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "scheduler/eviction_gittins.h"
#include "scheduler/eviction_lru.h"
#include "scheduler/fold.h"

namespace feilun::scheduler {
namespace {

constexpr int32_t kNone = -1;

std::unique_ptr<EvictionPolicy> make_policy(const PrefixCacheOptions& options) {
  if (options.policy == CachePolicy::kGittins) {
    return std::make_unique<GittinsEviction>(options.block_count, options.block_tokens);
  }
  return std::make_unique<LruEviction>(options.block_count);
}

}  // namespace

PrefixCache::PrefixCache(const PrefixCacheOptions& options)
    : options_(options),
      pool_(options.block_count),
      blocks_(static_cast<size_t>(options.block_count)),
      policy_(make_policy(options)),
      leaves_(options.block_count) {
  CHECK(options.block_tokens > 0 && options.hash_bits > 0 && options.hash_bits <= 64);
  tokens_.resize(blocks_.size() * static_cast<size_t>(options.block_tokens));
  by_hash_.reserve(blocks_.size());
}

PrefixCache::~PrefixCache() = default;

TokenCount PrefixCache::match(BlockTable& table, std::span<const int32_t> tokens, MonoTime now) {
  const bool arrives = !std::exchange(table.arrived, true);
  const CacheSalt root = root_of(table.salt);
  const int most = most_found(tokens);
  uint64_t hash = hash_of(last_published(table), root);
  chain_.clear();
  for (int index = table.published; index < most; ++index) {
    const auto piece = slice(tokens, index);
    hash = chain_hash(hash, piece);
    chain_.push_back(hash);
    if (table.published < index) continue;  // a miss before: the rest is for the policy
    const int32_t found = find(hash, last_published(table), root, piece);
    if (found != kNone) {
      hold(found, now);
      adopt(table, found);
    } else if (!arrives) {
      break;
    }
  }
  if (arrives) policy_->arrived({.chain = chain_, .found = table.published, .room = free() + in_tree()});
  return TokenCount{table.published} * options_.block_tokens;
}

PrefixMatch PrefixCache::peek(CacheSalt salt, std::span<const int32_t> tokens) const {
  PrefixMatch match;
  const CacheSalt root = root_of(salt);
  const int most = most_found(tokens);
  uint64_t hash = hash_of(kNone, root);
  for (int32_t parent = kNone; match.blocks < most; ++match.blocks) {
    const auto piece = slice(tokens, match.blocks);
    hash = chain_hash(hash, piece);
    parent = find(hash, parent, root, piece);
    if (parent == kNone) break;
    if (at(parent).uses == 0) ++match.idle;
  }
  return match;
}

bool PrefixCache::reserve(BlockTable& table, TokenCount length, MonoTime now) {
  const auto needed = static_cast<size_t>((length + options_.block_tokens - 1) / options_.block_tokens);
  while (table.blocks.size() < needed) {
    if (pool_.free() == 0 && !evict_one(now)) return false;
    const int32_t block = pool_.take();
    at(block) = {.uses = 1};
    table.blocks.push_back(block);
  }
  return true;
}

void PrefixCache::publish(BlockTable& table, std::span<const int32_t> computed, MonoTime now) {
  if (options_.policy == CachePolicy::kOff) return;
  const int full = static_cast<int>(computed.size() / static_cast<size_t>(options_.block_tokens));
  CHECK(static_cast<size_t>(full) <= table.blocks.size());
  const CacheSalt root = root_of(table.salt);
  while (table.published < full) {
    const auto piece = slice(computed, table.published);
    const int32_t parent = last_published(table);
    const uint64_t hash = chain_hash(hash_of(parent, root), piece);
    if (const int32_t twin = find(hash, parent, root, piece); twin != kNone) {
      hold(twin, now);
      adopt(table, twin);
      continue;
    }
    if (by_hash_.contains(hash)) return;  // a stranger of the same hash: from here on the blocks stay private
    const int32_t block = table.blocks[static_cast<size_t>(table.published)];
    insert(block, hash, parent, root, piece);
    if (!policy_->inserted(block, hash, now)) ++table.unseen;
    ++table.published;
  }
}

void PrefixCache::release(BlockTable& table, FinishClass finish, MonoTime now) {
  const auto held = std::span<const int32_t>(table.blocks);
  const auto published = held.first(static_cast<size_t>(table.published));
  discard(held.subspan(published.size()));
  if (!published.empty()) {
    policy_->released({.blocks = published, .unseen = table.unseen, .finish = finish}, now);
  }
  for (auto block = published.rbegin(); block != published.rend(); ++block) {
    if (--at(*block).uses > 0) continue;
    ++cached_;
    if (at(*block).children == 0) offer(*block, now);
  }
  table = {.salt = table.salt, .blocks = std::move(table.blocks)};
  table.blocks.clear();
}

std::span<int32_t> PrefixCache::tokens_of(int32_t block) {
  const auto width = static_cast<size_t>(options_.block_tokens);
  return std::span(tokens_).subspan(static_cast<size_t>(block) * width, width);
}

std::span<const int32_t> PrefixCache::tokens_of(int32_t block) const {
  const auto width = static_cast<size_t>(options_.block_tokens);
  return std::span(tokens_).subspan(static_cast<size_t>(block) * width, width);
}

std::span<const int32_t> PrefixCache::slice(std::span<const int32_t> tokens, int index) const {
  const auto width = static_cast<size_t>(options_.block_tokens);
  return tokens.subspan(static_cast<size_t>(index) * width, width);
}

int PrefixCache::most_found(std::span<const int32_t> tokens) const {
  if (tokens.empty() || options_.policy == CachePolicy::kOff) return 0;
  return static_cast<int>((tokens.size() - 1) / static_cast<size_t>(options_.block_tokens));
}

int32_t PrefixCache::last_published(const BlockTable& table) {
  return table.published == 0 ? kNone : table.blocks[static_cast<size_t>(table.published) - 1];
}

uint64_t PrefixCache::hash_of(int32_t block, CacheSalt root) const {
  return block == kNone ? fold(root ^ options_.hash_key, kOdd) : at(block).hash;
}

uint64_t PrefixCache::chain_hash(uint64_t parent, std::span<const int32_t> tokens) const {
  uint64_t hash = parent;
  for (const int32_t token : tokens) {
    hash = fold(hash ^ options_.hash_key, static_cast<uint32_t>(token) ^ kOdd);
  }
  return hash >> (64 - options_.hash_bits);
}

int32_t PrefixCache::find(uint64_t hash, int32_t parent, CacheSalt root,
                          std::span<const int32_t> tokens) const {
  const auto found = by_hash_.find(hash);
  if (found == by_hash_.end()) return kNone;
  const Block& block = at(found->second);
  if (block.parent != parent || block.salt != root) return kNone;
  return std::ranges::equal(tokens_of(found->second), tokens) ? found->second : kNone;
}

void PrefixCache::hold(int32_t block, MonoTime now) {
  if (at(block).uses++ == 0) {
    --cached_;
    if (at(block).children == 0) leaves_.remove(block);
  }
  policy_->used(block, now);
}

void PrefixCache::insert(int32_t block, uint64_t hash, int32_t parent, CacheSalt root,
                         std::span<const int32_t> tokens) {
  at(block) = {.hash = hash, .parent = parent, .uses = 1, .salt = root, .published = true};
  if (parent != kNone) {
    at(block).depth = at(parent).depth + 1;
    ++at(parent).children;
  }
  std::ranges::copy(tokens, tokens_of(block).begin());
  by_hash_.emplace(hash, block);
}

void PrefixCache::adopt(BlockTable& table, int32_t block) {
  const auto place = static_cast<size_t>(table.published++);
  if (place == table.blocks.size()) {
    table.blocks.push_back(block);
  } else {
    discard(std::span(&table.blocks[place], 1));
    table.blocks[place] = block;
  }
}

void PrefixCache::discard(std::span<const int32_t> blocks) {
  for (const int32_t block : blocks) at(block) = {};
  pool_.give_back(blocks);
}

bool PrefixCache::evict_one(MonoTime now) {
  if (leaves_.empty()) return false;
  if (const uint64_t scoring = policy_->scoring(now); scoring != scored_) {
    leaves_.rescore([&](int32_t block) { return policy_->score(block, now); });
    scored_ = scoring;
  }
  const int32_t victim = leaves_.top();
  leaves_.remove(victim);
  const Block gone = at(victim);
  by_hash_.erase(gone.hash);
  policy_->evicted(victim, gone.hash, now);
  discard(std::span(&victim, 1));
  --cached_;
  ++evictions_;
  if (gone.parent != kNone && --at(gone.parent).children == 0 && at(gone.parent).uses == 0) {
    offer(gone.parent, now);
  }
  return true;
}

void PrefixCache::offer(int32_t leaf, MonoTime now) {
  leaves_.push({.score = policy_->score(leaf, now), .depth = at(leaf).depth, .block = leaf});
}

void PrefixCache::check(std::span<const BlockTable* const> live) const {
  std::vector<int> uses(blocks_.size()), children(blocks_.size());
  int held = 0;
  for (const BlockTable* table : live) {
    CHECK(table->published >= 0 && static_cast<size_t>(table->published) <= table->blocks.size());
    for (size_t place = 0; place < table->blocks.size(); ++place) {
      const int32_t id = table->blocks[place];
      const bool published = place < static_cast<size_t>(table->published);
      CHECK(at(id).published == published);
      if (published) CHECK(at(id).parent == (place == 0 ? kNone : table->blocks[place - 1]));
      if (published) CHECK(at(id).salt == root_of(table->salt));
      if (++uses[static_cast<size_t>(id)] == 1) ++held;
    }
  }
  CHECK(held == used());
  for (const Block& block : blocks_) {
    if (block.published && block.parent != kNone) ++children[static_cast<size_t>(block.parent)];
  }
  int published = 0, idle = 0, leaves = 0;
  for (size_t id = 0; id < blocks_.size(); ++id) {
    const Block& block = blocks_[id];
    CHECK(block.uses == uses[id] && block.children == children[id]);
    CHECK(block.published || block.uses <= 1);
    if (!block.published) continue;
    const auto number = static_cast<int32_t>(id);
    const bool leaf = block.uses == 0 && block.children == 0;
    CHECK(by_hash_.at(block.hash) == number && leaves_.contains(number) == leaf);
    CHECK(block.depth == (block.parent == kNone ? 0 : at(block.parent).depth + 1));
    CHECK(block.parent == kNone || (at(block.parent).published && at(block.parent).uses >= block.uses));
    ++published;
    idle += block.uses == 0;
    leaves += leaf;
  }
  CHECK(static_cast<size_t>(published) == by_hash_.size());
  CHECK(idle == cached_ && leaves == leaves_.size());
}

}  // namespace feilun::scheduler
