// /v1/organizations, GET and POST /v1/organization and /v1/organization/projects/…
#include "gateway/admin_json.h"
#include "gateway/admin_routes.h"
#include "ledger/tenant_records.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::Project;
using ledger::State;

json::object project_json(const Project& project) {
  return {{"id", project.id},
          {"object", "organization.project"},
          {"name", project.name},
          {"created_at", unix_seconds(project.created)},
          {"archived_at", unix_seconds(project.archived)},
          {"status", project.archived ? "archived" : "active"}};
}

/// The operator's own organisation has no record that could change.
Result<> check_customer(const AdminCall& call) {
  TRY(call.check_operator("archives and restores organisations"));
  if (call.organisation != "default") return {};
  return fail(ErrorCode::kInvalidArgument, "name a customer in the header openai-organization");
}

}  // namespace

json::object organisation_json(const ledger::Organisation& organisation) {
  return {
      {"id", organisation.id},
      {"object", "organization"},
      {"name", organisation.name},
      {"currency", organisation.currency.empty() ? json::value(nullptr) : json::value(organisation.currency)},
      {"time_zone", organisation.time_zone},
      {"credit_limit", organisation.credit_limit.to_string()},
      {"created_at", unix_seconds(organisation.created)},
      {"archived_at", unix_seconds(organisation.archived)}};
}

Result<std::string> list_organisations(AdminCall& call) {
  TRY(call.check_operator("sees all organisations"));
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) {
    const auto show = [](const ledger::Record& record) -> Result<std::optional<json::object>> {
      return organisation_json(TRY(ledger::organisation_from(record)));
    };
    return list_records(state, "organisation", "", page, show);
  });
}

Result<std::string> create_organisation(AdminCall& call) {
  TRY(call.check_operator("creates organisations"));
  const AdminBody body = TRY(AdminBody::read(call.request, {"name", "currency", "time_zone"}));
  ledger::Organisation organisation{.name = TRY(body.required("name")),
                                    .currency = TRY(body.required("currency"))};
  if (auto zone = TRY(body.text("time_zone"))) organisation.time_zone = *std::move(zone);
  return json::serialize(organisation_json(TRY(call.write<ledger::Organisation>(
      [&](Books& books) { return books.create_organisation(organisation); }))));
}

Result<std::string> show_organisation(AdminCall& call) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    return json::serialize(organisation_json(TRY(ledger::organisation_of(state, call.organisation))));
  });
}

Result<std::string> change_organisation(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"name", "time_zone"}));
  const ledger::OrganisationChange change{.name = TRY(body.text("name")),
                                          .time_zone = TRY(body.text("time_zone"))};
  // Where its months begin decides what its limits and invoices count.
  if (change.time_zone) TRY(call.check_operator("changes where months begin"));
  if (call.organisation == "default") {
    return fail(ErrorCode::kUnsupported, "the organisation 'default' has nothing that can be changed");
  }
  const auto changed = TRY(call.write<ledger::Organisation>(
      [&](Books& books) { return books.change_organisation(call.organisation, change); }));
  return json::serialize(organisation_json(changed));
}

Result<std::string> list_projects(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  const bool archived_too = call.request.query("include_archived").value_or("") == "true";
  return call.read<std::string>([&](State& state) {
    const auto show = [&](const ledger::Record& record) -> Result<std::optional<json::object>> {
      const Project project = TRY(ledger::project_from(record));
      if (project.archived && !archived_too) return std::nullopt;
      if (!TRY(sees_project(state, call.key, project.id))) return std::nullopt;
      return project_json(project);
    };
    return list_records(state, "project", call.organisation, page, show);
  });
}

Result<std::string> create_project(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"name"}));
  const std::string name = TRY(body.required("name"));
  const Project made = TRY(call.write<Project>([&](Books& books) -> Result<Project> {
    std::string currency = TRY(ledger::organisation_of(books.state(), call.organisation)).currency;
    if (currency.empty()) currency = TRY(ledger::find_project(books.state(), "default")).currency;
    return books.create_project(name, currency, call.organisation);
  }));
  return json::serialize(project_json(made));
}

Result<std::string> show_project(AdminCall& call) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    return json::serialize(project_json(TRY(call.project(state))));
  });
}

Result<std::string> change_project(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"name"}));
  const auto name = TRY(body.text("name"));
  const Project changed = TRY(call.write<Project>([&](Books& books) -> Result<Project> {
    const Project project = TRY(call.project(books.state()));
    if (!name) return project;
    return books.rename_project(project.id, *name);
  }));
  return json::serialize(project_json(changed));
}

Result<std::string> archive_project(AdminCall& call) {
  const Project archived = TRY(call.write<Project>([&](Books& books) -> Result<Project> {
    return books.archive_project(TRY(call.project(books.state())).id);
  }));
  return json::serialize(project_json(archived));
}

Result<std::string> restore_project(AdminCall& call) {
  const Project restored = TRY(call.write<Project>([&](Books& books) -> Result<Project> {
    return books.restore_project(TRY(call.project(books.state())).id);
  }));
  return json::serialize(project_json(restored));
}

Result<std::string> archive_organisation(AdminCall& call) {
  TRY(check_customer(call));
  return json::serialize(organisation_json(TRY(call.write<ledger::Organisation>(
      [&](Books& books) { return books.archive_organisation(call.organisation); }))));
}

Result<std::string> restore_organisation(AdminCall& call) {
  TRY(check_customer(call));
  return json::serialize(organisation_json(TRY(call.write<ledger::Organisation>(
      [&](Books& books) { return books.restore_organisation(call.organisation); }))));
}

}  // namespace feilun::gateway
