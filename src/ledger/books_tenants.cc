#include "base/civil_time.h"
#include "base/ids.h"
#include "ledger/books.h"
#include "ledger/checked_amount.h"
#include "ledger/checked_text.h"
#include "ledger/currency.h"
#include "ledger/limits.h"
#include "ledger/tenant_records.h"

// Organisations and projects: the operations that happen rarely and by hand.

namespace feilun::ledger {
namespace {

constexpr std::string_view kDefaultOrganisation = "default";
constexpr int64_t kListMax = 1'000'000;
/// Leaves room for the organisation's id before it in a record's name.
constexpr size_t kProjectNameBytesMax = 200;

/// A record by its id, else by its name.
Result<std::optional<Record>> find_by_either(State& state, std::string_view type,
                                             std::string_view name_or_id) {
  if (auto record = TRY(find_record(state, type, name_or_id))) return record;
  return find_record_named(state, type, name_or_id);
}

std::string in_small_letters(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

/// Whoever writes an id must not find what has it for a name.
bool looks_like_id(const std::string& small_letters) {
  return small_letters.starts_with("org_") || small_letters.starts_with("proj_");
}

/// Wallets are found by the names of organisations and of the operator's own projects.
Result<> check_name_is_free(State& state, std::string_view name) {
  for (const char* type : {"organisation", "project"}) {
    if (TRY(find_record_named(state, type, name))) {
      return fail(ErrorCode::kConflict, "the name '{}' is taken", name);
    }
  }
  return {};
}

Result<> check_organisation_name(State& state, const std::string& name) {
  TRY(check_name("organisation's name", name));
  const std::string small = in_small_letters(name);
  if (looks_like_id(small) || small == kDefaultOrganisation || name.contains('/')) {
    return fail(ErrorCode::kInvalidArgument,
                "an organisation's name has no '/' and must not look like an id ('org_…', 'proj_…', "
                "'default')");
  }
  return check_name_is_free(state, name);
}

Result<> check_project_name(State& state, std::string_view organisation, const std::string& name) {
  TRY(check_name("project's name", name));
  if (looks_like_id(in_small_letters(name)) || name.contains('/') || name.size() > kProjectNameBytesMax) {
    return fail(ErrorCode::kInvalidArgument,
                "a project's name has no '/', at most {} bytes, and must not look like an id ('org_…', "
                "'proj_…')",
                kProjectNameBytesMax);
  }
  return check_name_is_free(state, name_within(organisation, name));
}

}  // namespace

Result<Organisation> find_organisation(State& state, std::string_view name_or_id) {
  const auto record = TRY(find_by_either(state, "organisation", name_or_id));
  if (!record) return fail(ErrorCode::kNotFound, "there is no organisation '{}'", name_or_id);
  return organisation_from(*record);
}

Result<std::vector<Organisation>> all_organisations(State& state) {
  std::vector<Organisation> organisations;
  for (const Record& record : TRY(all_records(state, "organisation", kListMax))) {
    organisations.push_back(TRY(organisation_from(record)));
  }
  return organisations;
}

Result<Project> find_project(State& state, std::string_view name_or_id) {
  auto record = TRY(find_by_either(state, "project", name_or_id));
  if (const size_t slash = name_or_id.find('/'); !record && slash != name_or_id.npos) {
    const auto owner = find_organisation(state, name_or_id.substr(0, slash));
    if (owner) {
      const std::string name = name_within(owner->id, name_or_id.substr(slash + 1));
      record = TRY(find_record_named(state, "project", name));
    }
  }
  if (!record) return fail(ErrorCode::kNotFound, "there is no project '{}'", name_or_id);
  return project_from(*record);
}

Result<std::vector<Project>> all_projects(State& state) {
  std::vector<Project> projects;
  for (const Record& record : TRY(all_records(state, "project", kListMax))) {
    projects.push_back(TRY(project_from(record)));
  }
  return projects;
}

Result<Organisation> Books::create_organisation(Organisation organisation) {
  TRY(check_organisation_name(state_, organisation.name));
  organisation.currency = TRY(parse_currency(organisation.currency));
  TRY(minor_digits(organisation.currency));
  TRY(TimeZone::find(organisation.time_zone));
  TRY(check_amount("credit limit", organisation.credit_limit));
  organisation.id = new_id("org");
  organisation.created = now_;
  organisation.archived.reset();
  TRY(act("create", std::nullopt, record_of(organisation)));
  return organisation;
}

Result<Organisation> Books::change_organisation(std::string_view name_or_id,
                                                const OrganisationChange& change) {
  Organisation changed = TRY(find_organisation(state_, name_or_id));
  const auto before = TRY(find_record(state_, "organisation", changed.id));
  if (change.name && *change.name != changed.name) {
    TRY(check_organisation_name(state_, *change.name));
    changed.name = *change.name;
  }
  if (change.time_zone) {
    TRY(TimeZone::find(*change.time_zone));
    changed.time_zone = *change.time_zone;
  }
  TRY(act("change", before, record_of(changed)));
  return changed;
}

Result<Organisation> Books::archive_organisation(std::string_view name_or_id) {
  Organisation archived = TRY(find_organisation(state_, name_or_id));
  if (archived.archived) return archived;
  const auto before = TRY(find_record(state_, "organisation", archived.id));
  archived.archived = now_;
  TRY(act("archive", before, record_of(archived)));
  return archived;
}

Result<Organisation> Books::restore_organisation(std::string_view name_or_id) {
  Organisation restored = TRY(find_organisation(state_, name_or_id));
  if (!restored.archived) return restored;
  const auto before = TRY(find_record(state_, "organisation", restored.id));
  restored.archived.reset();
  TRY(act("restore", before, record_of(restored)));
  return restored;
}

Result<Project> Books::create_project(const std::string& name, const std::string& currency,
                                      std::string_view organisation) {
  Project project{.id = new_id("proj"), .name = name, .organisation = std::string(organisation)};
  project.currency = TRY(parse_currency(currency));
  TRY(minor_digits(project.currency));
  project.payer = project.id;
  project.created = now_;
  if (organisation != kDefaultOrganisation) {
    const Organisation owner = TRY(find_organisation(state_, organisation));
    if (owner.archived) return fail(ErrorCode::kConflict, "the organisation '{}' is archived", owner.name);
    if (owner.currency != project.currency) {
      return fail(ErrorCode::kInvalidArgument, "the wallet of '{}' is in {}, not {}", owner.name,
                  owner.currency, project.currency);
    }
    project.organisation = project.payer = owner.id;
  }
  TRY(check_project_name(state_, project.organisation, name));
  TRY(act("create", std::nullopt, record_of(project)));
  return project;
}

Result<Project> Books::ensure_project(const std::string& name, const std::string& currency) {
  if (const auto there = TRY(find_record_named(state_, "project", name))) return project_from(*there);
  return create_project(name, currency);
}

Result<Project> Books::rename_project(std::string_view name_or_id, const std::string& name) {
  Project renamed = TRY(find_project(state_, name_or_id));
  if (renamed.name == name) return renamed;
  if (renamed.organisation == kDefaultOrganisation && renamed.name == "default") {
    return fail(ErrorCode::kInvalidArgument, "the project 'default' keeps its name");
  }
  TRY(check_project_name(state_, renamed.organisation, name));
  const auto before = TRY(find_record(state_, "project", renamed.id));
  renamed.name = name;
  TRY(act("change", before, record_of(renamed)));
  return renamed;
}

Result<Project> Books::archive_project(std::string_view name_or_id) {
  Project archived = TRY(find_project(state_, name_or_id));
  if (archived.archived) return archived;
  if (archived.organisation == kDefaultOrganisation && archived.name == "default") {
    return fail(ErrorCode::kInvalidArgument, "the project 'default' cannot be archived");
  }
  const auto before = TRY(find_record(state_, "project", archived.id));
  archived.archived = now_;
  TRY(act("archive", before, record_of(archived)));
  return archived;
}

Result<Project> Books::restore_project(std::string_view name_or_id) {
  Project restored = TRY(find_project(state_, name_or_id));
  if (!restored.archived) return restored;
  const auto before = TRY(find_record(state_, "project", restored.id));
  restored.archived.reset();
  TRY(act("restore", before, record_of(restored)));
  return restored;
}

}  // namespace feilun::ledger
