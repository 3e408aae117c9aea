#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/tokenizer.h"

// Most words of a text have been seen before. A thread keeps the tokens of the short ones it met last, in a
// table of fixed size in which a new word takes the place of whatever was there.

namespace feilun::model {

class WordCache {
 public:
  /// The calling thread's.
  static WordCache& of_thread();

  /// Appends the tokens of `word` and returns true when it is here. `owner` is the tokenizer's number.
  bool append(uint32_t owner, std::string_view word, std::vector<TokenId>& out) const;
  /// Ignores words or lists of tokens that are too long.
  void keep(uint32_t owner, std::string_view word, std::span<const TokenId> tokens);

 private:
  static constexpr size_t kSlots = 8192;
  static constexpr size_t kWordBytesMax = 26;
  static constexpr size_t kTokensMax = 8;
  struct Slot {
    uint32_t owner = 0;
    uint8_t size = 0;
    uint8_t count = 0;
    std::array<char, kWordBytesMax> word = {};
    std::array<TokenId, kTokensMax> tokens = {};
  };
  static_assert(sizeof(Slot) == 64);
  static size_t place(uint32_t owner, std::string_view word);

  std::vector<Slot> slots_ = std::vector<Slot>(kSlots);
};

}  // namespace feilun::model
