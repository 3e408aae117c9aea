#include "ledger/paying_tenant.h"

#include <utility>

#include "ledger/books.h"
#include "ledger/record.h"

namespace feilun::ledger {
namespace {

constexpr size_t kKnownMax = 100'000;

}  // namespace

Result<Organisation> organisation_of(State& state, std::string_view id) {
  auto found = find_organisation(state, id);
  if (found || id != "default" || found.error().code != ErrorCode::kNotFound) return found;
  return Organisation{.id = "default", .name = "default"};
}

Result<Payer> find_payer(State& state, std::string_view owner) {
  if (const auto found = find_organisation(state, owner)) {
    return Payer{found->id, found->name, found->currency, found->credit_limit};
  } else if (found.error().code != ErrorCode::kNotFound) {
    return std::unexpected(found.error());
  }
  const Project project = TRY(find_project(state, owner));
  Payer payer{project.payer, project.name, project.currency, {}};
  if (project.payer == project.organisation) {
    payer.credit_limit = TRY(find_organisation(state, project.payer)).credit_limit;
  }
  return payer;
}

Result<const PayingTenant*> PayingTenants::of(State& state, std::string_view project_id, WallTime now) {
  auto known = known_.find(project_id);
  if (known == known_.end()) {
    PayingTenant read;
    read.project = TRY(find_project(state, project_id));
    read.organisation = TRY(organisation_of(state, read.project.organisation));
    read.zone = TRY(TimeZone::find(read.organisation.time_zone));
    if (known_.size() >= kKnownMax) known_.clear();
    known = known_.emplace(project_id, std::move(read)).first;
  }
  PayingTenant& tenant = known->second;
  if (!tenant.period.contains(now)) {
    tenant.month = tenant.zone.month_of(now);
    tenant.period = tenant.zone.period_of(tenant.month);
  }
  return &tenant;
}

}  // namespace feilun::ledger
