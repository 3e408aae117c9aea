#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer.h"

namespace feilun::model {

/// Text → token, in one flat array with linear probing. Keeps a view of the texts, which must outlive it.
class PieceTable {
 public:
  PieceTable(std::span<const std::string> texts, size_t capacity);
  /// Keeps the first token of a text.
  void insert(TokenId id);
  /// -1 when no token has this text.
  TokenId find(std::string_view text) const;
  /// Bytes of the longest text.
  size_t bytes_max() const { return bytes_max_; }

 private:
  struct Slot {
    uint32_t hash = 0;
    TokenId id = -1;
  };
  std::span<const std::string> texts_;
  std::vector<Slot> slots_;
  size_t bytes_max_ = 0;
};

}  // namespace feilun::model
