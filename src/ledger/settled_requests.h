#pragma once

#include <functional>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/charged_request.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// Calls `take` for every request settled in the period, in the order of the journal. Reads the entries
/// themselves, sealed ones too, inside a transaction of the store; memory holds the requests that are open at
/// one moment. A request whose hold is more than a day older is not found. kNotFound names a segment that was
/// archived.
Result<> for_each_settled(Store& store, Period period,
                          const std::function<Result<>(const ChargedRequest&)>& take);

}  // namespace feilun::ledger
