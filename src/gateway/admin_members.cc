// /v1/organization/users, /v1/organization/invites and /v1/organization/projects/{project_id}/users
#include <algorithm>

#include "gateway/admin_json.h"
#include "gateway/admin_routes.h"
#include "ledger/tenant_records.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::Invite;
using ledger::Member;
using ledger::ProjectMember;
using ledger::State;

constexpr int64_t kInviteSecondsMax = 90 * 86'400;
constexpr int64_t kInviteSeconds = 7 * 86'400;

Result<Member> member_in_path(const AdminCall& call, State& state, size_t place) {
  const std::string& id = call.path_values.at(place);
  return only_own(ledger::find_member(state, call.organisation, id), "member", id,
                  [&](const Member& found) { return found.id == id; });
}

Result<Invite> invite_in_path(const AdminCall& call, State& state) {
  const std::string& id = call.path_values.at(0);
  return only_own(ledger::find_invite(state, id), "invitation", id,
                  [&](const Invite& found) { return found.organisation == call.organisation; });
}

struct InProject {
  ledger::Project project;
  Member member;
  ProjectMember belongs;
};

Result<InProject> project_member_in_path(const AdminCall& call, State& state) {
  InProject found{.project = TRY(call.project(state)), .member = TRY(member_in_path(call, state, 1))};
  const auto belongs = TRY(ledger::find_project_member(state, found.project.id, found.member.id));
  if (!belongs) {
    return fail(ErrorCode::kNotFound, "'{}' is not a member of this project", found.member.email);
  }
  found.belongs = *belongs;
  return found;
}

json::object project_user_json(const Member& member, const ProjectMember& belongs) {
  return {{"id", member.id},
          {"object", "organization.project.user"},
          {"name", member.name},
          {"email", member.email},
          {"role", name_of(belongs.role)},
          {"added_at", unix_seconds(belongs.added)}};
}

json::object invite_json(const Invite& invite, WallTime now) {
  json::array projects;
  for (const ledger::InvitedTo& to : invite.projects) {
    projects.push_back(json::object{{"id", to.project_id}, {"role", name_of(to.role)}});
  }
  return {{"id", invite.id},
          {"object", "organization.invite"},
          {"email", invite.email},
          {"role", name_of(invite.role)},
          {"status", invite.status(now)},
          {"created_at", unix_seconds(invite.created)},
          {"expires_at", unix_seconds(invite.expires)},
          {"accepted_at", unix_seconds(invite.accepted)},
          {"projects", std::move(projects)}};
}

Result<std::vector<ledger::InvitedTo>> read_projects(const AdminBody& body) {
  std::vector<ledger::InvitedTo> projects;
  for (const RequestFields& fields : TRY(body.objects("projects", {"id", "role"}))) {
    const auto id = TRY(fields.string("id"));
    const auto role = TRY(fields.string("role"));
    if (!id) return fields.wrong_type("id", "a string");
    projects.push_back({std::string(*id), TRY(ledger::parse_project_role(role.value_or("member")))});
  }
  return projects;
}

}  // namespace

json::object user_json(const Member& member) {
  return {{"id", member.id},       {"object", "organization.user"}, {"name", member.name},
          {"email", member.email}, {"role", name_of(member.role)},  {"added_at", unix_seconds(member.added)}};
}

Result<std::string> list_users(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  const auto emails = query_values(call.request, "emails");
  return call.read<std::string>([&](State& state) {
    const auto show = [&](const ledger::Record& record) -> Result<std::optional<json::object>> {
      const Member member = TRY(ledger::member_from(record));
      if (!emails.empty() && std::ranges::find(emails, member.email) == emails.end()) return std::nullopt;
      return user_json(member);
    };
    return list_records(state, "member", call.organisation, page, show);
  });
}

Result<std::string> show_user(AdminCall& call) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    return json::serialize(user_json(TRY(member_in_path(call, state, 0))));
  });
}

Result<std::string> change_user(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"role"}));
  const ledger::Role role = TRY(ledger::parse_role(TRY(body.required("role"))));
  TRY(call.check_grant(role));
  const Member changed = TRY(call.write<Member>([&](Books& books) -> Result<Member> {
    const Member member = TRY(member_in_path(call, books.state(), 0));
    TRY(call.check_grant(member.role));
    return books.change_member(member.id, role);
  }));
  return json::serialize(user_json(changed));
}

Result<std::string> remove_user(AdminCall& call) {
  TRY(call.write<void>([&](Books& books) -> Result<> {
    const Member member = TRY(member_in_path(call, books.state(), 0));
    TRY(call.check_grant(member.role));
    return books.remove_member(member.id);
  }));
  return deleted_reply(call.path_values.at(0), "organization.user.deleted");
}

Result<std::string> list_project_users(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const std::string project = TRY(call.project(state)).id;
    // The list's cursor is a member's id; the records' ids have the project's before it.
    Page records = page;
    if (!page.after.empty()) {
      if (!is_id(page.after, "user")) return unknown_cursor(page);
      records.after = ledger::project_member_id(project, page.after);
    }
    const auto show = [&](const ledger::Record& record) -> Result<std::optional<json::object>> {
      const ProjectMember belongs = TRY(ledger::project_member_from(record));
      const auto member = TRY(ledger::find_member(state, call.organisation, belongs.member_id));
      return project_user_json(member, belongs);
    };
    return list_records_behind(state, "project_member", project, records, show);
  });
}

Result<std::string> add_project_user(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"user_id", "email", "role"}));
  const auto role = TRY(ledger::parse_project_role(TRY(body.required("role"))));
  const auto id = TRY(body.text("user_id"));
  const std::string who = id ? *id : TRY(body.required("email"));
  const InProject made = TRY(call.write<InProject>([&](Books& books) -> Result<InProject> {
    InProject both{.project = TRY(call.project(books.state()))};
    both.member = TRY(ledger::find_member(books.state(), call.organisation, who));
    both.belongs = TRY(books.put_project_member(both.project.id, both.member.id, role));
    return both;
  }));
  return json::serialize(project_user_json(made.member, made.belongs));
}

Result<std::string> show_project_user(AdminCall& call) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const InProject found = TRY(project_member_in_path(call, state));
    return json::serialize(project_user_json(found.member, found.belongs));
  });
}

Result<std::string> change_project_user(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"role"}));
  const auto role = TRY(ledger::parse_project_role(TRY(body.required("role"))));
  const InProject changed = TRY(call.write<InProject>([&](Books& books) -> Result<InProject> {
    InProject found = TRY(project_member_in_path(call, books.state()));
    found.belongs = TRY(books.put_project_member(found.project.id, found.member.id, role));
    return found;
  }));
  return json::serialize(project_user_json(changed.member, changed.belongs));
}

Result<std::string> remove_project_user(AdminCall& call) {
  TRY(call.write<void>([&](Books& books) -> Result<> {
    const InProject found = TRY(project_member_in_path(call, books.state()));
    return books.remove_project_member(found.project.id, found.member.id);
  }));
  return deleted_reply(call.path_values.at(1), "organization.project.user.deleted");
}

Result<std::string> list_invites(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) {
    const auto show = [&](const ledger::Record& record) -> Result<std::optional<json::object>> {
      return invite_json(TRY(ledger::invite_from(record)).invite, call.now);
    };
    return list_records(state, "invite", call.organisation, page, show);
  });
}

Result<std::string> create_invite(AdminCall& call) {
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"email", "role", "projects", "expires_in_seconds"}));
  Invite invite{.organisation = call.organisation, .email = TRY(body.required("email"))};
  invite.role = TRY(ledger::parse_role(TRY(body.required("role"))));
  TRY(call.check_grant(invite.role));
  invite.projects = TRY(read_projects(body));
  const auto seconds = TRY(body.fields().integer("expires_in_seconds", 1, kInviteSecondsMax));
  invite.expires = call.now + std::chrono::seconds(seconds.value_or(kInviteSeconds));
  const auto made = TRY(call.write<ledger::NewInvite>([&](Books& books) { return books.invite(invite); }));
  json::object shown = invite_json(made.invite, call.now);
  shown["token"] = made.token;
  return json::serialize(shown);
}

Result<std::string> show_invite(AdminCall& call) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    return json::serialize(invite_json(TRY(invite_in_path(call, state)), call.now));
  });
}

Result<std::string> revoke_invite(AdminCall& call) {
  TRY(call.write<void>([&](Books& books) -> Result<> {
    return books.revoke_invite(TRY(invite_in_path(call, books.state())).id);
  }));
  return deleted_reply(call.path_values.at(0), "organization.invite.deleted");
}

}  // namespace feilun::gateway
