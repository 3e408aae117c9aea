#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/spend_limits.h"
#include "ledger/state.h"

namespace feilun::ledger {

/// What a limit is of, for people and for whoever may see it.
struct LimitScope {
  std::string type;  ///< "key", "project" or "organisation"
  std::string id;
  std::string name;          ///< as people call it; may be empty
  std::string organisation;  ///< id of the one that it is, or belongs to
  std::string project;       ///< id of the one that it is, or belongs to; empty of an organisation
  std::string currency;      ///< of what it spends; empty of the organisation "default"
};

/// By id. kNotFound says what a scope can be.
Result<LimitScope> find_limit_scope(State& state, std::string_view id);

/// How the limit stands now, by the calendar of its scope's organisation.
Result<LimitUse> limit_use(State& state, const SpendLimit& limit, WallTime now);

}  // namespace feilun::ledger
