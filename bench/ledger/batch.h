#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ledger/journal.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// What one group writes.
struct Batch {
  struct Change {
    std::string key;
    std::optional<std::string> value;
    operator StateChange() const { return {key, value}; }
  };
  std::vector<JournalRow> entries;
  std::vector<Change> changes;
};

}  // namespace feilun::ledger
