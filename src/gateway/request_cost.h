#pragma once

#include <optional>
#include <vector>

#include "engine/engine.h"
#include "ledger/ledger.h"
#include "pricing/machine_cost.h"

namespace feilun::gateway {

/// What a request took of the machine, in sum over its parts, for the journal; nothing where the machine has
/// no price. To be asked for once a request: the machine's cost carries what is less than a pico-unit over to
/// the next.
std::optional<ledger::RequestCost> request_cost(pricing::MachineCost* machine,
                                                const std::vector<engine::EngineUsage>& parts);

}  // namespace feilun::gateway
