#pragma once

#include <functional>

#include "ledger/audit_source.h"

namespace feilun::ledger::audit {

/// Calls `take` with each entry of a sealed segment, in order. kCorrupt when its bytes are not a segment.
Result<> read_segment(const StoredSegment& segment, const std::function<Result<>(StoredEntry)>& take);

}  // namespace feilun::ledger::audit
