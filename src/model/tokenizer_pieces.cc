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

PieceReach::PieceReach(std::span<const std::string> pieces) : longest_(size_t{1} << 16, 1) {
  for (const std::string& piece : pieces) {
    if (piece.size() < 2) continue;
    uint32_t& longest = longest_[place(piece)];
    longest = std::max(longest, static_cast<uint32_t>(piece.size()));
  }
}

/// The fewest steps to the end, where a step from a place reaches as far as the longest piece there.
bool PieceReach::exceeds(std::string_view text, size_t most) const {
  size_t tokens = 0;
  size_t end = 0;    // that so many tokens can reach
  size_t reach = 0;  // of one more
  for (size_t at = 0; at < text.size(); ++at) {
    reach = std::max(reach, at + (at + 1 < text.size() ? longest_[place(text.substr(at, 2))] : 1));
    if (at < end) continue;
    if (++tokens > most) return true;
    end = reach;
  }
  return false;
}

}  // namespace feilun::model
