#include "scheduler/leaf_heap.h"

#include "base/check.h"

namespace feilun::scheduler {

void LeafHeap::push(const Entry& entry) {
  CHECK(!contains(entry.block));
  entries_.emplace_back();
  put(entries_.size() - 1, entry);
  rise(entries_.size() - 1);
}

void LeafHeap::remove(int32_t block) {
  CHECK(contains(block));
  const auto hole = static_cast<size_t>(place_[static_cast<size_t>(block)]);
  const Entry last = entries_.back();
  entries_.pop_back();
  place_[static_cast<size_t>(block)] = kAbsent;
  if (hole == entries_.size()) return;
  put(hole, last);
  rise(hole);
  sink(static_cast<size_t>(place_[static_cast<size_t>(last.block)]));
}

bool LeafHeap::before(const Entry& a, const Entry& b) {
  if (a.score != b.score) return a.score < b.score;
  if (a.depth != b.depth) return a.depth > b.depth;
  return a.block > b.block;
}

void LeafHeap::put(size_t place, const Entry& entry) {
  entries_[place] = entry;
  place_[static_cast<size_t>(entry.block)] = static_cast<int32_t>(place);
}

void LeafHeap::rise(size_t place) {
  const Entry moving = entries_[place];
  while (place > 0) {
    const size_t parent = (place - 1) / 2;
    if (!before(moving, entries_[parent])) break;
    put(place, entries_[parent]);
    place = parent;
  }
  put(place, moving);
}

void LeafHeap::sink(size_t place) {
  const Entry moving = entries_[place];
  for (;;) {
    size_t child = 2 * place + 1;
    if (child >= entries_.size()) break;
    if (child + 1 < entries_.size() && before(entries_[child + 1], entries_[child])) ++child;
    if (!before(entries_[child], moving)) break;
    put(place, entries_[child]);
    place = child;
  }
  put(place, moving);
}

void LeafHeap::order() {
  for (size_t place = entries_.size() / 2; place-- > 0;) sink(place);
}

}  // namespace feilun::scheduler
