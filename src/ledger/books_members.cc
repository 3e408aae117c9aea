#include <sodium.h>

#include <algorithm>

#include "base/ids.h"
#include "ledger/books.h"
#include "ledger/checked_text.h"
#include "ledger/secrets.h"
#include "ledger/tenant_records.h"

// Members, invitations and service accounts.

namespace feilun::ledger {
namespace {

constexpr int64_t kListMax = 1'000'000;
constexpr size_t kEmailBytesMax = 200;
constexpr size_t kInvitedProjectsMax = 64;

Result<std::string> checked_email(std::string_view email) {
  TRY(check_text("address", email, false));
  std::string small(email);
  for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const size_t at = small.find('@');
  if (at == 0 || at == small.npos || at + 1 == small.size() || small.find('@', at + 1) != small.npos ||
      small.contains(' ') || small.contains('/') || small.size() > kEmailBytesMax) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is no e-mail address", email);
  }
  return small;
}

Result<> check_new_member(State& state, std::string_view organisation, std::string_view email) {
  if (TRY(find_record_named(state, "member", name_within(organisation, email)))) {
    return fail(ErrorCode::kConflict, "'{}' is a member already", email);
  }
  return {};
}

Result<std::optional<Record>> known_record(State& state, std::string_view type, std::string_view id,
                                           std::string_view what) {
  auto record = TRY(find_record(state, type, id));
  if (!record) return fail(ErrorCode::kNotFound, "there is no {} '{}'", what, id);
  return record;
}

/// Somebody must be left who may do everything.
Result<> check_not_last_owner(State& state, const Member& member) {
  if (member.role != Role::kOwner) return {};
  for (const Member& other : TRY(members_of(state, member.organisation))) {
    if (other.role == Role::kOwner && other.id != member.id) return {};
  }
  return fail(ErrorCode::kConflict, "{} is the organisation's last owner: make another one first",
              member.email);
}

}  // namespace

Result<std::vector<Member>> members_of(State& state, std::string_view organisation) {
  std::vector<Member> members;
  for (const Record& record : TRY(records_of(state, "member", organisation, kListMax))) {
    members.push_back(TRY(member_from(record)));
  }
  return members;
}

Result<Member> find_member(State& state, std::string_view organisation, std::string_view email_or_id) {
  auto record = TRY(find_record(state, "member", email_or_id));
  if (!record) {
    record = TRY(find_record_named(state, "member", name_within(organisation, email_or_id)));
  }
  if (!record || record->parent != organisation) {
    return fail(ErrorCode::kNotFound, "there is no member '{}'", email_or_id);
  }
  return member_from(*record);
}

Result<Invite> find_invite(State& state, std::string_view id) {
  const auto record = TRY(known_record(state, "invite", id, "invitation"));
  return TRY(invite_from(*record)).invite;
}

Result<ServiceAccount> find_service_account(State& state, std::string_view id) {
  const auto record = TRY(known_record(state, "service_account", id, "service account"));
  return service_account_from(*record);
}

Result<std::optional<ProjectMember>> find_project_member(State& state, std::string_view project_id,
                                                         std::string_view member_id) {
  const auto record = TRY(find_record(state, "project_member", project_member_id(project_id, member_id)));
  if (!record) return std::nullopt;
  return TRY(project_member_from(*record));
}

Result<Member> Books::add_member(Member member) {
  member.organisation = TRY(organisation_of(state_, member.organisation)).id;
  member.email = TRY(checked_email(member.email));
  TRY(check_text("member's name", member.name, true));
  TRY(check_new_member(state_, member.organisation, member.email));
  member.id = new_id("user");
  member.added = now_;
  TRY(act("create", std::nullopt, record_of(member)));
  return member;
}

Result<Member> Books::change_member(std::string_view id, Role role) {
  const auto before = TRY(known_record(state_, "member", id, "member"));
  Member member = TRY(member_from(*before));
  if (member.role == role) return member;
  TRY(check_not_last_owner(state_, member));
  member.role = role;
  TRY(act("change", before, record_of(member)));
  for (const Record& record : TRY(records_of(state_, "key", member.organisation, kListMax))) {
    KeyRow row = TRY(key_from(record));
    if (row.key.owner != member.id || row.key.revoked) continue;
    row.key.organisation_role = role;
    TRY(act("change", record, record_of(row)));
  }
  return member;
}

Result<> Books::remove_member(std::string_view id) {
  const auto before = TRY(known_record(state_, "member", id, "member"));
  const Member member = TRY(member_from(*before));
  TRY(check_not_last_owner(state_, member));
  TRY(revoke_keys_of(member.organisation, member.id));
  for (const Record& project : TRY(records_of(state_, "project", member.organisation, kListMax))) {
    TRY(revoke_keys_of(project.id, member.id));
    const auto belongs = TRY(find_record(state_, "project_member", project_member_id(project.id, member.id)));
    if (belongs) TRY(act("remove", belongs, std::nullopt));
  }
  return act("remove", before, std::nullopt);
}

Result<ProjectMember> Books::put_project_member(std::string_view project_id, std::string_view member_id,
                                                ProjectRole role) {
  const Project project = TRY(find_project(state_, project_id));
  const Member member = TRY(find_member(state_, project.organisation, member_id));
  const auto before = TRY(find_record(state_, "project_member", project_member_id(project.id, member.id)));
  ProjectMember belongs{project.id, member.id, role, now_};
  if (before) {
    belongs.added = TRY(project_member_from(*before)).added;
    if (record_of(belongs).json == before->json) return belongs;
  }
  TRY(act(before ? "change" : "create", before, record_of(belongs)));
  return belongs;
}

Result<> Books::remove_project_member(std::string_view project_id, std::string_view member_id) {
  const auto before = TRY(
      known_record(state_, "project_member", project_member_id(project_id, member_id), "project's member"));
  TRY(revoke_keys_of(project_id, member_id));
  return act("remove", before, std::nullopt);
}

Result<NewInvite> Books::invite(Invite invite) {
  const Organisation organisation = TRY(organisation_of(state_, invite.organisation));
  if (organisation.archived) {
    return fail(ErrorCode::kConflict, "the organisation '{}' is archived", organisation.name);
  }
  invite.organisation = organisation.id;
  invite.email = TRY(checked_email(invite.email));
  TRY(check_new_member(state_, invite.organisation, invite.email));
  if (invite.projects.size() > kInvitedProjectsMax) {
    return fail(ErrorCode::kInvalidArgument, "an invitation names at most {} projects", kInvitedProjectsMax);
  }
  for (const InvitedTo& to : invite.projects) {
    const Project project = TRY(find_project(state_, to.project_id));
    if (project.id != to.project_id || project.organisation != organisation.id) {
      return fail(ErrorCode::kNotFound, "there is no project '{}'", to.project_id);
    }
  }
  if (invite.expires <= now_)
    return fail(ErrorCode::kInvalidArgument, "the invitation would end in the past");
  invite.id = new_id("invite");
  invite.created = now_;
  invite.accepted.reset();
  NewInvite made{.invite = invite, .token = new_secret(invite.id + ".")};
  TRY(act("create", std::nullopt, record_of(InviteRow{invite, blake2b_256(made.token)})));
  return made;
}

Result<> Books::revoke_invite(std::string_view id) {
  const auto before = TRY(known_record(state_, "invite", id, "invitation"));
  if (TRY(invite_from(*before)).invite.accepted) {
    return fail(ErrorCode::kConflict, "the invitation was accepted: remove the member instead");
  }
  return act("revoke", before, std::nullopt);
}

Result<InviteRow> open_invite(State& state, std::string_view token, WallTime now) {
  const auto refused = [] {
    return fail(ErrorCode::kUnauthorized, "the invitation is not valid: ask for a new one");
  };
  const auto record = TRY(find_record(state, "invite", invite_id_of(token)));
  if (!record) return refused();
  InviteRow row = TRY(invite_from(*record));
  const Hash hash = blake2b_256(token);
  if (sodium_memcmp(hash.data(), row.hash.data(), hash.size()) != 0) return refused();
  if (row.invite.accepted) return fail(ErrorCode::kConflict, "the invitation was accepted before");
  if (now >= row.invite.expires) return fail(ErrorCode::kUnauthorized, "the invitation has expired");
  return row;
}

Result<Member> Books::accept_invite(std::string_view token, const std::string& name,
                                    const std::string& password_hash) {
  InviteRow row = TRY(open_invite(state_, token, now_));
  TRY(check_text("member's name", name, true));
  TRY(check_text("password's hash", password_hash, true));
  TRY(check_new_member(state_, row.invite.organisation, row.invite.email));
  const auto before = TRY(find_record(state_, "invite", row.invite.id));
  Member member{.id = new_id("user"),
                .organisation = row.invite.organisation,
                .email = row.invite.email,
                .name = name,
                .role = row.invite.role,
                .added = now_,
                .password = password_hash};
  act_as(member.id);
  row.invite.accepted = now_;
  TRY(act("accept", before, record_of(row)));
  TRY(act("create", std::nullopt, record_of(member)));
  for (const InvitedTo& to : row.invite.projects) {
    TRY(put_project_member(to.project_id, member.id, to.role));
  }
  return member;
}

Result<ServiceAccount> Books::create_service_account(std::string_view project, const std::string& name) {
  TRY(check_name("service account's name", name));
  const Project owner = TRY(find_project(state_, project));
  if (owner.archived) return fail(ErrorCode::kConflict, "the project '{}' is archived", owner.name);
  ServiceAccount account{.id = new_id("svc"), .project_id = owner.id, .name = name, .created = now_};
  TRY(act("create", std::nullopt, record_of(account)));
  return account;
}

Result<ServiceAccount> Books::change_service_account(std::string_view id,
                                                     const std::optional<std::string>& name) {
  const auto before = TRY(known_record(state_, "service_account", id, "service account"));
  ServiceAccount account = TRY(service_account_from(*before));
  if (name) {
    TRY(check_name("service account's name", *name));
    account.name = *name;
  }
  TRY(act("change", before, record_of(account)));
  return account;
}

Result<> Books::remove_service_account(std::string_view id) {
  const auto before = TRY(known_record(state_, "service_account", id, "service account"));
  TRY(revoke_keys_of(before->parent, id));
  return act("remove", before, std::nullopt);
}

}  // namespace feilun::ledger
