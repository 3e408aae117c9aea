#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "model/tokenizer.h"

// Byte-pair encoding starts from the smallest symbols and, again and again, joins the neighbours whose
// merge has the best rank, the leftmost first. Looking for the best pair anew each time is quadratic, and for
// the few symbols of a word the fastest all the same. For more of them, candidates wait in a heap and are
// checked for staleness when they come out, so a text of n symbols takes O(n log n) whatever it holds.

namespace feilun::model {

/// What two neighbours become. Lower ranks merge first.
struct BpeMerge {
  uint32_t rank = 0;
  TokenId merged = -1;
};

/// A part of the text and its token, -1 when it has none.
struct BpeSymbol {
  TokenId id = -1;
  uint32_t begin = 0;
  uint32_t size = 0;  ///< bytes, at least 1
};

/// Gives back the memory that one very long word took, where a thread keeps its symbols for the next.
inline void release_large(std::vector<BpeSymbol>& symbols) {
  constexpr size_t kKept = 4096;
  if (symbols.capacity() > kKept) std::vector<BpeSymbol>().swap(symbols);
}

/// (left, right) → merge, in one flat array with linear probing. Most pairs that are asked for do not merge;
/// a bit per hash, small enough for the processor's cache, says so without a look at the array.
class BpeMergeTable {
 public:
  explicit BpeMergeTable(size_t capacity);
  /// Keeps the first merge of a pair.
  void insert(TokenId left, TokenId right, BpeMerge merge);
  /// nullptr when the pair does not merge.
  const BpeMerge* find(TokenId left, TokenId right) const {
    const uint64_t wanted = key(left, right);
    const uint64_t h = hash(wanted);
    const uint64_t bit = h >> maybe_shift_;
    return (maybe_[bit >> 6] >> (bit & 63) & 1) == 0 ? nullptr : find(wanted, h);
  }

 private:
  struct Slot {
    uint64_t key = kEmpty;
    BpeMerge merge;
  };
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  const BpeMerge* find(uint64_t wanted, uint64_t h) const;
  static uint64_t key(TokenId left, TokenId right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  static uint64_t hash(uint64_t k) { return k * 0x9e3779b97f4a7c15u; }

  std::vector<Slot> slots_;
  std::vector<uint64_t> maybe_;
  int shift_ = 0;        // a hash's upper bits are its place in slots_
  int maybe_shift_ = 0;  // and in maybe_'s bits
};

/// Symbols up to this many are merged without a heap.
inline constexpr size_t kBpeFew = 96;
static_assert(kBpeFew < 255);

template <typename Lookup>
void merge_few(std::vector<BpeSymbol>& symbols, Lookup& lookup) {
  constexpr uint32_t kNever = ~uint32_t{0};
  const size_t count = symbols.size();
  // Of symbol i with the one after it. Ranks lie apart, and those of symbols that are gone stay, so that
  // looking for the best is one quick pass.
  std::array<uint32_t, kBpeFew> ranks;
  std::array<TokenId, kBpeFew> merged;
  std::array<uint8_t, kBpeFew> next;
  std::array<uint8_t, kBpeFew> previous;
  const auto look = [&](size_t i) {
    const BpeMerge* merge = next[i] < count ? lookup(symbols[i], symbols[next[i]]) : nullptr;
    ranks[i] = merge == nullptr ? kNever : merge->rank;
    merged[i] = merge == nullptr ? -1 : merge->merged;
  };
  for (size_t i = 0; i < count; ++i) {
    next[i] = static_cast<uint8_t>(i + 1);
    previous[i] = static_cast<uint8_t>(i - 1);
    look(i);
  }
  while (true) {
    uint32_t rank = kNever;
    for (size_t i = 0; i < count; ++i) rank = std::min(rank, ranks[i]);
    if (rank == kNever) break;
    const auto best = static_cast<size_t>(std::find(ranks.begin(), ranks.end(), rank) - ranks.begin());
    const size_t gone = next[best];
    symbols[best].id = merged[best];
    symbols[best].size += symbols[gone].size;
    symbols[gone].size = 0;
    ranks[gone] = kNever;
    next[best] = next[gone];
    if (next[best] < count) previous[next[best]] = static_cast<uint8_t>(best);
    look(best);
    if (best > 0) look(previous[best]);
  }
  std::erase_if(symbols, [](const BpeSymbol& symbol) { return symbol.size == 0; });
}

template <typename Lookup>
void merge_many(std::vector<BpeSymbol>& symbols, Lookup& lookup) {
  struct Candidate {
    uint64_t order;  // rank, then place
    uint32_t size;   // of both sides together when it was found: differs when either has changed since
    TokenId merged;
  };
  struct Neighbours {
    int32_t previous = -1;
    int32_t next = -1;
  };
  const auto later = [](const Candidate& a, const Candidate& b) { return a.order > b.order; };
  std::vector<Candidate> heap;
  std::vector<Neighbours> beside(symbols.size());
  const auto offer = [&](int32_t left) {
    if (left < 0 || beside[left].next < 0) return;
    const BpeSymbol& right = symbols[beside[left].next];
    const BpeMerge* merge = lookup(symbols[left], right);
    if (merge == nullptr) return;
    heap.push_back({static_cast<uint64_t>(merge->rank) << 32 | static_cast<uint32_t>(left),
                    symbols[left].size + right.size, merge->merged});
    std::push_heap(heap.begin(), heap.end(), later);
  };

  for (size_t i = 0; i < symbols.size(); ++i) {
    beside[i].previous = static_cast<int32_t>(i) - 1;
    beside[i].next = i + 1 < symbols.size() ? static_cast<int32_t>(i) + 1 : -1;
  }
  for (size_t i = 0; i + 1 < symbols.size(); ++i) offer(static_cast<int32_t>(i));
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Candidate best = heap.back();
    heap.pop_back();
    const auto at = static_cast<int32_t>(best.order & 0xffffffffu);
    BpeSymbol& left = symbols[at];
    const int32_t next = beside[at].next;
    // A size of 0 says that the symbol has become a part of the one before it.
    if (left.size == 0 || next < 0 || left.size + symbols[next].size != best.size) continue;
    left.id = best.merged;
    left.size += symbols[next].size;
    symbols[next].size = 0;
    beside[at].next = beside[next].next;
    if (beside[at].next >= 0) beside[beside[at].next].previous = at;
    offer(beside[at].previous);
    offer(at);
  }
  std::erase_if(symbols, [](const BpeSymbol& symbol) { return symbol.size == 0; });
}

/// Merges neighbours until none merge; `symbols` then holds the result in order. `lookup(left, right)` gives
/// a const BpeMerge* (valid until its next call) or nullptr.
template <typename Lookup>
void merge_symbols(std::vector<BpeSymbol>& symbols, Lookup lookup) {
  if (symbols.size() <= kBpeFew) {
    merge_few(symbols, lookup);
  } else {
    merge_many(symbols, lookup);
  }
}

}  // namespace feilun::model
