#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace feilun::ledger {

/// One step of the form of a database's tables. Steps only lead forward; a step that was published never
/// changes.
struct SchemaStep {
  int64_t number;  ///< the tables' format once it is done; ascending. The state is then as its entries say
  std::string what;
  std::vector<std::string> statements;

  friend bool operator==(const SchemaStep&, const SchemaStep&) = default;
};

}  // namespace feilun::ledger
