#pragma once

#include <string_view>
#include <vector>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/ledger.h"
#include "pricing/price_preview.h"

namespace feilun::ledger {

/// What the requests settled in the month (UTC) would have brought at the candidates' prices; of everybody,
/// or of one payer alone. Reads the journal a day at a time, so that others who read wait for a day's entries
/// at most. Volumes count from the beginning of the month.
Result<pricing::PricePreview> preview_month(Ledger& ledger, std::vector<PriceVersion> candidates, Month month,
                                            std::string_view payer = {});

}  // namespace feilun::ledger
