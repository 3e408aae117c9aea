#include "gateway/request_cost.h"

#include <algorithm>

namespace feilun::gateway {

std::optional<ledger::RequestCost> request_cost(pricing::MachineCost* machine,
                                                const std::vector<engine::EngineUsage>& parts) {
  if (machine == nullptr) return std::nullopt;
  const pricing::MachinePrice& price = machine->price();
  ledger::RequestCost cost{.currency = price.currency, .per_hour = price.per_hour};
  double kv_byte_seconds = 0;
  for (const engine::EngineUsage& part : parts) {
    cost.attributed += part.attributed;
    cost.saved += part.saved;
    kv_byte_seconds += part.kv_byte_seconds;
    cost.cost_model = std::max(cost.cost_model, static_cast<int64_t>(part.cost_model));
  }
  cost.kv_byte_seconds = static_cast<int64_t>(kv_byte_seconds);
  cost.cost = machine->accrue(cost.attributed);
  return cost;
}

}  // namespace feilun::gateway
