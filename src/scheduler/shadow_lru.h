#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>

namespace feilun::scheduler {

/// What a least-recently-used cache of the same size would hold: names of blocks without the blocks. A chain
/// is touched with its root last, so a parent is never older than its child and whoever is oldest is a leaf.
class ShadowLru {
 public:
  /// How many hashes from the chain's beginning are there.
  int find(std::span<const uint64_t> chain) const;
  void touch(uint64_t hash);
  /// Forgets the oldest until at most `room` are left.
  void shrink(size_t room);

 private:
  std::list<uint64_t> by_age_;  ///< the youngest in front
  std::unordered_map<uint64_t, std::list<uint64_t>::iterator> places_;
};

}  // namespace feilun::scheduler
