#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/state.h"

namespace feilun::ledger {

/// A project with what its charges need of its organisation.
struct PayingTenant {
  Project project;
  Organisation organisation;  ///< of the default one, nothing but its id and UTC
  TimeZone zone = TimeZone::utc();
  Month month{};    ///< the organisation's, that holds the time asked for
  Period period{};  ///< of the month
};

/// Projects as every hold and settle asks for them: their records' JSON is parsed once. Whoever changes a
/// project or an organisation forgets them all. An answer is good until the next question. One thread, one
/// State.
class PayingTenants {
 public:
  /// kNotFound when there is no such project.
  Result<const PayingTenant*> of(State& state, std::string_view project_id, WallTime now);

 private:
  std::map<std::string, PayingTenant, std::less<>> known_;
};

/// By id or name, a project of an organisation also as `organisation/project`. kConflict where an
/// organisation and a project of the operator have the name.
Result<std::variant<Organisation, Project>> find_owner(State& state, std::string_view name_or_id);

/// Whose wallet pays.
struct Payer {
  std::string id;
  std::string name;  ///< of the organisation or project that was asked for
  std::string currency;
  Money credit_limit;
};

/// `owner`: as find_owner() takes it.
Result<Payer> find_payer(State& state, std::string_view owner);

/// The organisation with this id; the default one needs no record.
Result<Organisation> organisation_of(State& state, std::string_view id);

}  // namespace feilun::ledger
