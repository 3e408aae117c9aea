#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "model/tokenizer.h"

// Byte-pair encoding starts from the smallest symbols and, again and again, joins the neighbours whose
// merge has the best rank, the leftmost first. Looking for the best pair anew each time is quadratic; here
// candidates wait in a heap and are checked for staleness when they come out, so a text of n symbols takes
// O(n log n) whatever it holds.

namespace feilun::model {

/// What two neighbours become. Lower ranks merge first.
struct BpeMerge {
  uint32_t rank = 0;
  TokenId merged = -1;
};

/// A part of the text and its token, -1 when it has none. Neighbours are linked by index.
struct BpeSymbol {
  TokenId id = -1;
  uint32_t begin = 0;
  uint32_t size = 0;  ///< 0: was merged into its left neighbour
  int32_t previous = -1;
  int32_t next = -1;
};

/// (left, right) → merge, in one flat array with linear probing.
class BpeMergeTable {
 public:
  explicit BpeMergeTable(size_t capacity);
  /// Keeps the first merge of a pair.
  void insert(TokenId left, TokenId right, BpeMerge merge);
  /// nullptr when the pair does not merge.
  const BpeMerge* find(TokenId left, TokenId right) const;

 private:
  struct Slot {
    uint64_t key = kEmpty;
    BpeMerge merge;
  };
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  static uint64_t key(TokenId left, TokenId right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t start(uint64_t k) const { return static_cast<size_t>(k * 0x9e3779b97f4a7c15u >> shift_); }

  std::vector<Slot> slots_;
  int shift_ = 0;
};

/// Merges symbols in place until no neighbours merge. `lookup(left, right)` gives a const BpeMerge* (valid
/// until its next call) or nullptr. The result is the chain from symbols[0] by `next`.
template <typename Lookup>
void merge_symbols(std::vector<BpeSymbol>& symbols, Lookup lookup) {
  struct Candidate {
    uint64_t order;  // rank, then place
    uint32_t size;   // of both sides together when it was found: differs when either has changed since
    TokenId merged;
  };
  const auto later = [](const Candidate& a, const Candidate& b) { return a.order > b.order; };
  std::vector<Candidate> heap;
  const auto offer = [&](int32_t left) {
    if (left < 0 || symbols[left].next < 0) return;
    const BpeSymbol& right = symbols[symbols[left].next];
    const BpeMerge* merge = lookup(symbols[left], right);
    if (merge == nullptr) return;
    heap.push_back({static_cast<uint64_t>(merge->rank) << 32 | static_cast<uint32_t>(left),
                    symbols[left].size + right.size, merge->merged});
    std::push_heap(heap.begin(), heap.end(), later);
  };

  for (size_t i = 0; i < symbols.size(); ++i) {
    symbols[i].previous = static_cast<int32_t>(i) - 1;
    symbols[i].next = i + 1 < symbols.size() ? static_cast<int32_t>(i) + 1 : -1;
  }
  for (size_t i = 0; i + 1 < symbols.size(); ++i) offer(static_cast<int32_t>(i));
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Candidate best = heap.back();
    heap.pop_back();
    const auto at = static_cast<int32_t>(best.order & 0xffffffffu);
    BpeSymbol& left = symbols[at];
    if (left.size == 0 || left.next < 0 || left.size + symbols[left.next].size != best.size) continue;
    BpeSymbol& right = symbols[left.next];
    left.id = best.merged;
    left.size += right.size;
    right.size = 0;
    left.next = right.next;
    if (left.next >= 0) symbols[left.next].previous = at;
    offer(left.previous);
    offer(at);
  }
}

}  // namespace feilun::model
