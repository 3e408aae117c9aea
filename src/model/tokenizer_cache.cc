#include "model/tokenizer_cache.h"

#include <algorithm>
#include <cstring>

namespace feilun::model {

WordCache& WordCache::of_thread() {
  static thread_local WordCache cache;
  return cache;
}

size_t WordCache::place(uint32_t owner, std::string_view word) {
  uint64_t hash = owner ^ word.size() << 32;
  for (size_t at = 0; at < word.size(); at += 8) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, word.data() + at, std::min<size_t>(8, word.size() - at));
    hash = (hash ^ bytes) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return static_cast<size_t>(hash % kSlots);
}

bool WordCache::append(uint32_t owner, std::string_view word, std::vector<TokenId>& out) const {
  if (word.size() > kWordBytesMax) return false;
  const Slot& slot = slots_[place(owner, word)];
  if (slot.owner != owner || slot.size != word.size()) return false;
  if (std::memcmp(slot.word.data(), word.data(), word.size()) != 0) return false;
  out.insert(out.end(), slot.tokens.begin(), slot.tokens.begin() + slot.count);
  return true;
}

void WordCache::keep(uint32_t owner, std::string_view word, std::span<const TokenId> tokens) {
  if (word.size() > kWordBytesMax || tokens.size() > kTokensMax) return;
  Slot& slot = slots_[place(owner, word)];
  slot.owner = owner;
  slot.size = static_cast<uint8_t>(word.size());
  slot.count = static_cast<uint8_t>(tokens.size());
  std::memcpy(slot.word.data(), word.data(), word.size());
  std::ranges::copy(tokens, slot.tokens.begin());
}

}  // namespace feilun::model
