#include "model/bpe.h"

#include <bit>

namespace feilun::model {

BpeMergeTable::BpeMergeTable(size_t capacity) {
  const size_t size = std::bit_ceil(std::max<size_t>(16, capacity * 2));
  slots_.resize(size);
  shift_ = 64 - std::countr_zero(size);
  const size_t bits = std::max<size_t>(64, size * 4);
  maybe_.resize(bits / 64);
  maybe_shift_ = 64 - std::countr_zero(bits);
}

void BpeMergeTable::insert(TokenId left, TokenId right, BpeMerge merge) {
  const uint64_t wanted = key(left, right);
  const uint64_t h = hash(wanted);
  maybe_[h >> maybe_shift_ >> 6] |= uint64_t{1} << (h >> maybe_shift_ & 63);
  for (size_t i = h >> shift_;; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i].key == wanted) return;
    if (slots_[i].key == kEmpty) {
      slots_[i] = {wanted, merge};
      return;
    }
  }
}

const BpeMerge* BpeMergeTable::find(uint64_t wanted, uint64_t h) const {
  for (size_t i = h >> shift_;; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i].key == wanted) return &slots_[i].merge;
    if (slots_[i].key == kEmpty) return nullptr;
  }
}

}  // namespace feilun::model
