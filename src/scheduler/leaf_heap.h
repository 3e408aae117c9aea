#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace feilun::scheduler {

/// A binary heap of blocks that knows where each of them stands, so that one can leave from the middle.
/// On top is the lowest score; of equals the deepest block, then the highest number.
class LeafHeap {
 public:
  struct Entry {
    double score = 0;
    int32_t depth = 0;
    int32_t block = 0;
  };

  explicit LeafHeap(int block_count) : place_(static_cast<size_t>(block_count), kAbsent) {}

  bool empty() const { return entries_.empty(); }
  int size() const { return static_cast<int>(entries_.size()); }
  bool contains(int32_t block) const { return place_[static_cast<size_t>(block)] != kAbsent; }
  int32_t top() const { return entries_.front().block; }

  /// The block must be absent; O(log size).
  void push(const Entry& entry);
  /// The block must be there; O(log size).
  void remove(int32_t block);
  /// Gives every block the score that `score(block)` says; O(size).
  template <typename Score>
  void rescore(Score score) {
    for (Entry& entry : entries_) entry.score = score(entry.block);
    order();
  }

 private:
  static constexpr int32_t kAbsent = -1;

  static bool before(const Entry& a, const Entry& b);
  void put(size_t place, const Entry& entry);
  void rise(size_t place);
  void sink(size_t place);
  void order();

  std::vector<Entry> entries_;
  std::vector<int32_t> place_;  ///< of each block in entries_
};

}  // namespace feilun::scheduler
