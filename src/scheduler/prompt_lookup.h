#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "scheduler/fold.h"

namespace feilun::scheduler {

/// Guesses how a sequence goes on by what followed the last time when its newest three tokens stood together.
/// Where an answer quotes its prompt, or repeats itself, the guess is often right for many tokens.
class PromptLookup {
 public:
  static constexpr int64_t kMatch = 3;

  /// `secret` is unknown to whoever sends prompts, so that nobody can make them meet in one bucket.
  explicit PromptLookup(uint64_t secret) : last_end_(0, Hash{secret}) {}

  /// Looks at the tokens that it has not seen yet. `tokens` is the whole sequence, which only grows.
  void read(std::span<const int32_t> tokens);
  /// At most `most` tokens of the sequence that read() saw; empty for no guess.
  std::span<const int32_t> guess(std::span<const int32_t> tokens, int64_t most) const;

 private:
  struct Hash {
    uint64_t secret;
    size_t operator()(uint64_t key) const { return static_cast<size_t>(fold(key ^ secret, kOdd)); }
  };
  int64_t seen_ = 0;
  int64_t earlier_ = 0;  ///< where the newest tokens stood before, their end; 0: nowhere
  std::unordered_map<uint64_t, int64_t, Hash> last_end_;  ///< of each three tokens in a row
};

}  // namespace feilun::scheduler
