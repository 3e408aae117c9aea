#include "ledger/paying_tenant.h"

#include <optional>
#include <utility>

#include "ledger/books.h"
#include "ledger/record.h"

namespace feilun::ledger {
namespace {

constexpr size_t kKnownMax = 100'000;

Result<std::optional<Project>> project_named(State& state, std::string_view name_or_id) {
  auto found = find_project(state, name_or_id);
  if (found) return *std::move(found);
  if (found.error().code == ErrorCode::kNotFound) return std::nullopt;
  return std::unexpected(std::move(found).error());
}

}  // namespace

Result<std::variant<Organisation, Project>> find_owner(State& state, std::string_view name_or_id) {
  auto organisation = find_organisation(state, name_or_id);
  if (!organisation && organisation.error().code != ErrorCode::kNotFound) {
    return std::unexpected(std::move(organisation).error());
  }
  if (!organisation) return TRY(find_project(state, name_or_id));
  if (organisation->id == name_or_id) return *std::move(organisation);
  auto project = TRY(project_named(state, name_or_id));
  if (!project) return *std::move(organisation);
  if (project->id == name_or_id) return *std::move(project);
  return fail(ErrorCode::kConflict,
              "an organisation and a project have the name '{}': say which by its id, {} or {}", name_or_id,
              organisation->id, project->id);
}

Result<Organisation> organisation_of(State& state, std::string_view id) {
  auto found = find_organisation(state, id);
  if (found || id != "default" || found.error().code != ErrorCode::kNotFound) return found;
  return Organisation{.id = "default", .name = "default"};
}

Result<Payer> find_payer(State& state, std::string_view owner) {
  const auto found = TRY(find_owner(state, owner));
  if (const auto* buyer = std::get_if<Organisation>(&found)) {
    return Payer{buyer->id, buyer->name, buyer->currency, buyer->credit_limit};
  }
  const Project& project = std::get<Project>(found);
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
