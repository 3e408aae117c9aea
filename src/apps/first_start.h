#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/settings.h"
#include "ledger/ledger.h"

namespace feilun::apps {

/// Secrets made at the first start, to be printed once; their hashes alone are kept.
struct FirstKeys {
  std::string admin;
  std::string project;
  ledger::Balance balance;  ///< of the default project, demo money included
};

/// Makes the keys and credits the demo money when the ledger is new; nullopt when it has keys already.
Result<std::optional<FirstKeys>> prepare_first_start(ledger::Ledger& ledger, const Settings& settings);

/// Publishes the default price, in the default project's currency, for each offering that has none.
Result<> publish_missing_prices(ledger::Ledger& ledger, const Settings& settings,
                                const std::vector<std::string>& offerings);

}  // namespace feilun::apps
