#pragma once

#include <functional>
#include <string>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// One request as the journal tells of it.
struct SettledRequest {
  int64_t sequence = 0;
  WallTime time;
  std::string request_id;
  std::string key_id;
  std::string project_id;
  std::string payer_id;
  std::string offering;
  std::string currency;
  ServiceTier tier = ServiceTier::kDefault;
  int64_t price_id = 0;
  TokenCount input_tokens = 0;  ///< by which its price's row was chosen
  TokenUsage usage;
  TokenCount covered_tokens = 0;  ///< of the usage, paid for with packages
  Money charged;
};

/// The request as its hold tells of it.
Result<SettledRequest> held_request(const JournalRow& hold);

/// Calls `take` for every request settled in the period, in the order of the journal. Reads the entries
/// themselves, sealed ones too, inside a transaction of the store; memory holds the requests that are open at
/// one moment. A request whose hold is more than a day older is not found. kNotFound names a segment that was
/// archived.
Result<> for_each_settled(Store& store, Period period,
                          const std::function<Result<>(const SettledRequest&)>& take);

}  // namespace feilun::ledger
