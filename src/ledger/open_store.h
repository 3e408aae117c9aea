#pragma once

#include <memory>

#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// One more connection to the ledger's database, which knows where the archive is. SQLite's file is made when
/// absent, readable by its owner alone; its directory must be there.
Result<std::unique_ptr<Store>> open_store(const LedgerOptions& options);

}  // namespace feilun::ledger
