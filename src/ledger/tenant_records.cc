#include "ledger/tenant_records.h"

#include <algorithm>
#include <boost/json.hpp>

#include "ledger/json_fields.h"

namespace feilun::ledger {
namespace {

namespace json = boost::json;

std::unexpected<Error> unreadable(const Record& record) {
  return fail(ErrorCode::kCorrupt, "the {} {} cannot be read", record.type, record.id);
}

int64_t micros(WallTime time) {
  return time.time_since_epoch().count();
}

/// A field that is left out where there is no time.
void put_time(json::object& body, std::string_view name, const std::optional<WallTime>& time) {
  if (time) body[name] = micros(*time);
}

json::array texts(const std::vector<std::string>& values) {
  return json::array(values.begin(), values.end());
}

void put_scope(json::object& body, const KeyScope& scope) {
  if (!scope.models.empty()) body["models"] = texts(scope.models);
  if (!scope.endpoints.empty()) body["endpoints"] = texts(scope.endpoints);
  if (scope.networks.empty()) return;
  json::array networks;
  for (const Network& network : scope.networks) networks.emplace_back(network.text());
  body["networks"] = std::move(networks);
}

Result<std::shared_ptr<const KeyScope>> scope_from(JsonFields& body) {
  KeyScope scope{.models = body.texts("models"), .endpoints = body.texts("endpoints")};
  scope.networks = TRY(parse_networks(body.texts("networks")));
  if (scope.empty()) return nullptr;
  return std::make_shared<const KeyScope>(std::move(scope));
}

/// The name by which people know a record within its organisation.
std::string own_name(const Record& record) {
  const std::string prefix = record.parent + "/";
  return record.name.starts_with(prefix) ? record.name.substr(prefix.size()) : record.name;
}

}  // namespace

std::string name_within(std::string_view organisation, std::string_view name) {
  if (organisation == "default") return std::string(name);
  return fmt::format("{}/{}", organisation, name);
}

std::string project_member_id(std::string_view project_id, std::string_view member_id) {
  return fmt::format("{}.{}", project_id, member_id);
}

Record record_of(const Organisation& organisation) {
  json::object body = {{"currency", organisation.currency},
                       {"time_zone", organisation.time_zone},
                       {"credit_limit", organisation.credit_limit.to_pico_string()},
                       {"created", micros(organisation.created)}};
  put_time(body, "archived", organisation.archived);
  return {.type = "organisation",
          .id = organisation.id,
          .name = organisation.name,
          .json = json::serialize(body)};
}

Result<Organisation> organisation_from(const Record& record) {
  JsonFields body(record.json);
  Organisation organisation{.id = record.id, .name = record.name};
  organisation.currency = body.text("currency");
  organisation.time_zone = body.text("time_zone");
  organisation.credit_limit = body.money("credit_limit");
  organisation.created = body.time("created").value_or(WallTime());
  organisation.archived = body.time("archived");
  if (!body.ok()) return unreadable(record);
  return organisation;
}

Record record_of(const Project& project) {
  json::object body = {
      {"currency", project.currency}, {"payer", project.payer}, {"created", micros(project.created)}};
  put_time(body, "archived", project.archived);
  return {.type = "project",
          .id = project.id,
          .parent = project.organisation,
          .name = name_within(project.organisation, project.name),
          .json = json::serialize(body)};
}

Result<Project> project_from(const Record& record) {
  JsonFields body(record.json);
  Project project{.id = record.id, .name = own_name(record), .organisation = record.parent};
  project.currency = body.text("currency");
  project.payer = body.text("payer");
  project.created = body.time("created").value_or(WallTime());
  project.archived = body.time("archived");
  if (!body.ok()) return unreadable(record);
  return project;
}

Record record_of(const KeyRow& row) {
  const Key& key = row.key;
  const bool admin = key.role == KeyRole::kAdmin;
  json::object body = {{"name", key.name},
                       {"hint", key.hint},
                       {"role", admin ? "admin" : "project"},
                       {"hash", hex(view(row.hash))},
                       {"created", micros(key.created)}};
  if (admin) body["organisation_role"] = name_of(key.organisation_role);
  if (!key.owner.empty()) body["owner"] = key.owner;
  put_time(body, "expires", key.expires);
  put_time(body, "revoked", key.revoked);
  if (key.scope) put_scope(body, *key.scope);
  json::array previous;
  for (const OldSecret& old : row.previous) {
    previous.push_back(json::object{{"hash", hex(view(old.hash))}, {"until", micros(old.until)}});
  }
  if (!previous.empty()) body["previous"] = std::move(previous);
  return {.type = "key",
          .id = key.id,
          .parent = admin ? key.organisation : key.project_id,
          .json = json::serialize(body)};
}

Result<KeyRow> key_from(const Record& record) {
  JsonFields body(record.json);
  KeyRow row{.key = {.id = record.id}, .changed = record.sequence};
  Key& key = row.key;
  key.name = body.text("name");
  key.hint = body.text("hint");
  key.role = body.text("role") == "admin" ? KeyRole::kAdmin : KeyRole::kProject;
  (key.role == KeyRole::kAdmin ? key.organisation : key.project_id) = record.parent;
  if (const std::string role = body.text("organisation_role"); !role.empty()) {
    key.organisation_role = TRY(parse_role(role));
  }
  key.owner = body.text("owner");
  key.created = body.time("created").value_or(WallTime());
  key.expires = body.time("expires");
  key.revoked = body.time("revoked");
  key.scope = TRY(scope_from(body));
  bool hashed = unhex(body.text("hash"), row.hash);
  for (JsonFields& old : body.objects("previous")) {
    row.previous.push_back({.until = old.time("until").value_or(WallTime())});
    hashed = unhex(old.text("hash"), row.previous.back().hash) && old.ok() && hashed;
  }
  if (!body.ok() || !hashed) return unreadable(record);
  return row;
}

Record record_of(const Member& member) {
  json::object body = {{"email", member.email},
                       {"name", member.name},
                       {"role", name_of(member.role)},
                       {"added", micros(member.added)}};
  if (!member.password.empty()) body["password"] = member.password;
  return {.type = "member",
          .id = member.id,
          .parent = member.organisation,
          .name = name_within(member.organisation, member.email),
          .json = json::serialize(body)};
}

Result<Member> member_from(const Record& record) {
  JsonFields body(record.json);
  Member member{.id = record.id, .organisation = record.parent};
  member.email = body.text("email");
  member.name = body.text("name");
  member.role = TRY(parse_role(body.text("role")));
  member.added = body.time("added").value_or(WallTime());
  member.password = body.text("password");
  if (!body.ok()) return unreadable(record);
  return member;
}

Record record_of(const ProjectMember& member) {
  const json::object body = {
      {"member", member.member_id}, {"role", name_of(member.role)}, {"added", micros(member.added)}};
  return {.type = "project_member",
          .id = project_member_id(member.project_id, member.member_id),
          .parent = member.project_id,
          .json = json::serialize(body)};
}

Result<ProjectMember> project_member_from(const Record& record) {
  JsonFields body(record.json);
  ProjectMember member{.project_id = record.parent};
  member.member_id = body.text("member");
  member.role = TRY(parse_project_role(body.text("role")));
  member.added = body.time("added").value_or(WallTime());
  if (!body.ok()) return unreadable(record);
  return member;
}

Record record_of(const ServiceAccount& account) {
  const json::object body = {
      {"name", account.name}, {"role", name_of(account.role)}, {"created", micros(account.created)}};
  return {.type = "service_account",
          .id = account.id,
          .parent = account.project_id,
          .json = json::serialize(body)};
}

Result<ServiceAccount> service_account_from(const Record& record) {
  JsonFields body(record.json);
  ServiceAccount account{.id = record.id, .project_id = record.parent};
  account.name = body.text("name");
  account.role = TRY(parse_project_role(body.text("role")));
  account.created = body.time("created").value_or(WallTime());
  if (!body.ok()) return unreadable(record);
  return account;
}

Record record_of(const InviteRow& row) {
  const Invite& invite = row.invite;
  json::array projects;
  for (const InvitedTo& project : invite.projects) {
    projects.push_back(json::object{{"id", project.project_id}, {"role", name_of(project.role)}});
  }
  json::object body = {{"email", invite.email},
                       {"role", name_of(invite.role)},
                       {"projects", std::move(projects)},
                       {"hash", hex(view(row.hash))},
                       {"created", micros(invite.created)},
                       {"expires", micros(invite.expires)}};
  put_time(body, "accepted", invite.accepted);
  return {.type = "invite", .id = invite.id, .parent = invite.organisation, .json = json::serialize(body)};
}

Result<InviteRow> invite_from(const Record& record) {
  JsonFields body(record.json);
  InviteRow row{.invite = {.id = record.id, .organisation = record.parent}};
  Invite& invite = row.invite;
  invite.email = body.text("email");
  invite.role = TRY(parse_role(body.text("role")));
  for (JsonFields& project : body.objects("projects")) {
    invite.projects.push_back({project.text("id"), TRY(parse_project_role(project.text("role")))});
  }
  const bool hashed = unhex(body.text("hash"), row.hash);
  invite.created = body.time("created").value_or(WallTime());
  invite.expires = body.time("expires").value_or(WallTime());
  invite.accepted = body.time("accepted");
  if (!body.ok() || !hashed) return unreadable(record);
  return row;
}

}  // namespace feilun::ledger
