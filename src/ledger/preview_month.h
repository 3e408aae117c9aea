#pragma once

#include <string_view>
#include <vector>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/ledger.h"
#include "pricing/price_preview.h"

namespace feilun::ledger {

/// What the requests of the month would have brought at the candidates' prices; of everybody, or of one payer
/// alone. A month is each payer's own, as its invoice has it: of its time zone at the settle, and volumes
/// count from its beginning; only what a clock that was set back put behind an invoice is left out. Reads the
/// journal a day at a time, so that others who read wait for a day's entries at most.
Result<pricing::PricePreview> preview_month(Ledger& ledger, std::vector<PriceVersion> candidates, Month month,
                                            std::string_view payer = {});

}  // namespace feilun::ledger
