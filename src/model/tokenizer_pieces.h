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

/// How far one token can reach from a place in a text, by the two bytes that stand there: enough to see that
/// a long word has too many tokens without finding them.
class PieceReach {
 public:
  explicit PieceReach(std::span<const std::string> pieces);
  /// Whether the text, of which no byte goes without a token, has more than `most`. False says nothing.
  bool exceeds(std::string_view text, size_t most) const;

 private:
  static size_t place(std::string_view two) {
    return static_cast<size_t>(static_cast<unsigned char>(two[0])) << 8 | static_cast<unsigned char>(two[1]);
  }
  std::vector<uint32_t> longest_;  // bytes of the longest piece that begins with these two
};

}  // namespace feilun::model
