#pragma once

#include <string>

#include "ledger/ledger.h"

namespace feilun::gateway {

/// Prometheus text: how far the ledger's database is behind this process.
std::string spool_metrics(const ledger::SpoolStats& spool);

}  // namespace feilun::gateway
