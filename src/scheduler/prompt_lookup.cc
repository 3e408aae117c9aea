#include "scheduler/prompt_lookup.h"

#include <algorithm>
#include <utility>

namespace feilun::scheduler {
namespace {

/// Tokens below 2²¹ each give a key of their own; above, a wrong guess costs nothing but time.
uint64_t key_of(std::span<const int32_t> three) {
  uint64_t key = 0;
  for (const int32_t token : three) key = key << 21 ^ static_cast<uint32_t>(token);
  return key;
}

}  // namespace

void PromptLookup::read(std::span<const int32_t> tokens) {
  for (const auto count = static_cast<int64_t>(tokens.size()); seen_ < count;) {
    ++seen_;
    if (seen_ < kMatch) continue;
    const uint64_t key = key_of(tokens.subspan(static_cast<size_t>(seen_ - kMatch), kMatch));
    earlier_ = std::exchange(last_end_[key], seen_);
  }
}

std::span<const int32_t> PromptLookup::guess(std::span<const int32_t> tokens, int64_t most) const {
  if (earlier_ == 0 || most <= 0) return {};
  const int64_t count = std::min(most, seen_ - earlier_);
  return tokens.subspan(static_cast<size_t>(earlier_), static_cast<size_t>(count));
}

}  // namespace feilun::scheduler
