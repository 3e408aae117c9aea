#include "ledger/limit_scope.h"

#include "ledger/books.h"
#include "ledger/tenant_records.h"

namespace feilun::ledger {
namespace {

Result<LimitScope> scope_of_project(State& state, std::string_view id) {
  const Project project = TRY(find_project(state, id));
  return LimitScope{"project", project.id, project.name, project.organisation, project.id, project.currency};
}

}  // namespace

Result<LimitScope> find_limit_scope(State& state, std::string_view id) {
  if (const auto record = TRY(find_record(state, "key", id))) {
    const Key key = TRY(key_from(*record)).key;
    LimitScope scope{.type = "key", .id = key.id, .name = key.name, .organisation = key.organisation};
    if (key.project_id.empty()) return scope;
    const LimitScope above = TRY(scope_of_project(state, key.project_id));
    scope.organisation = above.organisation;
    scope.project = above.project;
    scope.currency = above.currency;
    return scope;
  }
  if (TRY(find_record(state, "project", id))) return scope_of_project(state, id);
  if (id == "default") return LimitScope{.type = "organisation", .id = "default", .organisation = "default"};
  if (const auto record = TRY(find_record(state, "organisation", id))) {
    const Organisation owner = TRY(organisation_from(*record));
    return LimitScope{"organisation", owner.id, owner.name, owner.id, {}, owner.currency};
  }
  return fail(ErrorCode::kNotFound, "there is no key, project or organisation with the id '{}'", id);
}

Result<LimitUse> limit_use(State& state, const SpendLimit& limit, WallTime now) {
  const LimitScope scope = TRY(find_limit_scope(state, limit.scope));
  const Organisation owner = TRY(organisation_of(state, scope.organisation));
  const TimeZone zone = TRY(TimeZone::find(owner.time_zone));
  const Period month = zone.period_of(zone.month_of(now));
  return use_of(limit, TRY(LimitWindow::read(state, limit, now, month)));
}

}  // namespace feilun::ledger
