#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "base/civil_time.h"
#include "base/result.h"

namespace feilun::apps {

/// The flags that say when a price that is published is in force.
struct PricePeriod {
  std::optional<std::string> from;   ///< none: now
  std::optional<std::string> until;  ///< none: until another begins

  /// kInvalidArgument for a time that is past: what was charged does not change.
  Result<Period> resolve(WallTime now) const;
};

/// "from 2026-12-01 00:00:00 UTC until 2027-01-01 00:00:00 UTC".
std::string period_text(const Period& period);

void add_period_options(CLI::App* command, PricePeriod& period);

}  // namespace feilun::apps
