#include "gateway/service_tier.h"

#include <utility>

namespace feilun::gateway {

using pricing::ServiceTier;

ServiceTier served_tier(ServiceTier asked, bool offers_priority) {
  return asked == ServiceTier::kPriority && !offers_priority ? ServiceTier::kDefault : asked;
}

std::string_view tier_name(ServiceTier tier) {
  switch (tier) {
    case ServiceTier::kDefault:
      return "default";
    case ServiceTier::kPriority:
      return "priority";
    case ServiceTier::kFlex:
      return "flex";
    case ServiceTier::kBatch:
      return "batch";
  }
  std::unreachable();
}

engine::Tier engine_tier(ServiceTier tier) {
  switch (tier) {
    case ServiceTier::kPriority:
      return engine::Tier::kPriority;
    case ServiceTier::kDefault:
      return engine::Tier::kDefault;
    case ServiceTier::kFlex:
      return engine::Tier::kFlex;
    case ServiceTier::kBatch:
      return engine::Tier::kBatch;
  }
  std::unreachable();
}

}  // namespace feilun::gateway
