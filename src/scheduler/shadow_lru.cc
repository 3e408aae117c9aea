#include "scheduler/shadow_lru.h"

namespace feilun::scheduler {

int ShadowLru::find(std::span<const uint64_t> chain) const {
  int found = 0;
  for (const uint64_t hash : chain) {
    if (!places_.contains(hash)) break;
    ++found;
  }
  return found;
}

void ShadowLru::touch(uint64_t hash) {
  const auto [place, added] = places_.try_emplace(hash);
  if (added) {
    by_age_.push_front(hash);
    place->second = by_age_.begin();
  } else {
    by_age_.splice(by_age_.begin(), by_age_, place->second);
  }
}

void ShadowLru::shrink(size_t room) {
  while (by_age_.size() > room) {
    places_.erase(by_age_.back());
    by_age_.pop_back();
  }
}

}  // namespace feilun::scheduler
