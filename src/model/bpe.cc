#include "model/bpe.h"

#include <bit>

namespace feilun::model {

BpeMergeTable::BpeMergeTable(size_t capacity) {
  const size_t size = std::bit_ceil(std::max<size_t>(16, capacity * 2));
  slots_.resize(size);
  shift_ = 64 - std::countr_zero(size);
}

void BpeMergeTable::insert(TokenId left, TokenId right, BpeMerge merge) {
  const uint64_t wanted = key(left, right);
  for (size_t i = start(wanted);; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i].key == wanted) return;
    if (slots_[i].key == kEmpty) {
      slots_[i] = {wanted, merge};
      return;
    }
  }
}

const BpeMerge* BpeMergeTable::find(TokenId left, TokenId right) const {
  const uint64_t wanted = key(left, right);
  for (size_t i = start(wanted);; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i].key == wanted) return &slots_[i].merge;
    if (slots_[i].key == kEmpty) return nullptr;
  }
}

}  // namespace feilun::model
