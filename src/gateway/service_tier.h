#pragma once

#include <string_view>

#include "engine/engine.h"
#include "pricing/price.h"

namespace feilun::gateway {

/// All of them, the most urgent first.
inline constexpr pricing::ServiceTier kServiceTiers[] = {
    pricing::ServiceTier::kPriority, pricing::ServiceTier::kDefault, pricing::ServiceTier::kFlex,
    pricing::ServiceTier::kBatch};

/// The tier in which a request is really served: `priority` only where the server offers it.
pricing::ServiceTier served_tier(pricing::ServiceTier asked, bool offers_priority);
/// "priority", "default", "flex", "batch".
std::string_view tier_name(pricing::ServiceTier tier);
/// What prices and journal call a tier, as the scheduler calls it.
engine::Tier engine_tier(pricing::ServiceTier tier);

}  // namespace feilun::gateway
