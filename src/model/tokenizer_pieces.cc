#include "model/tokenizer_pieces.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace feilun::model {
namespace {

uint32_t hash_of(std::string_view text) {
  return static_cast<uint32_t>(std::hash<std::string_view>()(text));
}

}  // namespace

PieceTable::PieceTable(std::span<const std::string> texts, size_t capacity)
    : texts_(texts), slots_(std::bit_ceil(std::max<size_t>(16, capacity * 2))) {}

void PieceTable::insert(TokenId id) {
  const std::string& text = texts_[static_cast<size_t>(id)];
  const uint32_t hash = hash_of(text);
  bytes_max_ = std::max(bytes_max_, text.size());
  for (size_t i = hash & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
    Slot& slot = slots_[i];
    if (slot.id >= 0 && slot.hash == hash && texts_[static_cast<size_t>(slot.id)] == text) return;
    if (slot.id >= 0) continue;
    slot = {hash, id};
    return;
  }
}

TokenId PieceTable::find(std::string_view text) const {
  if (text.size() > bytes_max_) return -1;
  const uint32_t hash = hash_of(text);
  for (size_t i = hash & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[i];
    if (slot.id < 0) return -1;
    if (slot.hash == hash && texts_[static_cast<size_t>(slot.id)] == text) return slot.id;
  }
}

}  // namespace feilun::model
