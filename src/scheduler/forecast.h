#pragma once

#include <array>
#include <chrono>

#include "base/money.h"
#include "scheduler/tier.h"

namespace feilun::scheduler {

/// How long a request that comes now waits, as far as what is known tells. Numbers alone: it may be read by
/// other threads while the scheduler goes on.
struct Forecast {
  std::array<std::chrono::nanoseconds, kTierCount> wait{};  ///< until its prompt's first chunk, by tier
  double prompt_token_ns = 0;                               ///< for each token of its prompt
  bool known = false;  ///< false until steps were measured: then nobody is turned away

  /// The first token of a request of `prompt_tokens`, behind `tokens_ahead` that are not in `wait` yet.
  std::chrono::nanoseconds first_token(Tier tier, TokenCount prompt_tokens, TokenCount tokens_ahead) const;
};

/// What the sequences that ended were like, the latest counting most.
class PastSequences {
 public:
  void ended(TokenCount output, TokenCount prompt_computed, TokenCount prompt_cached);

  double mean_output() const { return mean_output_; }
  /// The part of prompts that had to be computed.
  double miss_ratio() const { return computed_ / (computed_ + cached_); }

 private:
  double mean_output_ = 128;
  double computed_ = 1;  ///< never 0: the last token of a prompt is always computed
  double cached_ = 0;
};

}  // namespace feilun::scheduler
