#pragma once

#include <vector>

#include "gateway/admin_call.h"
#include "pricing/price.h"

namespace feilun::gateway {

/// The body's "sheet", with its "rates", as versions of its "offering" that begin at `from`: one for each
/// currency, and contracts where a customer is named. kInvalidArgument names the field.
Result<std::vector<pricing::PriceVersion>> read_price_sheet(const AdminCall& call, const AdminBody& body,
                                                            WallTime from);

}  // namespace feilun::gateway
