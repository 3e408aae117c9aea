#pragma once

#include <cstdint>

namespace feilun::scheduler {

/// How urgent a request is; the smaller, the sooner it is served.
enum class Tier : uint8_t { kPriority = 0, kDefault = 1, kFlex = 2, kBatch = 3 };
inline constexpr int kTierCount = 4;

}  // namespace feilun::scheduler
