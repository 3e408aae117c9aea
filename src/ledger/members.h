#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

// Who may do what in an organisation: its people (members), what they are to it (roles), how they come in
// (invitations), and the machines that act for a project (service accounts).

namespace feilun::ledger {

/// What a member, or an administrator's key, is to an organisation.
enum class Role : uint8_t { kOwner = 0, kAdmin = 1, kDeveloper = 2, kBilling = 3, kAuditor = 4 };

/// One kind of administrative act. A role is a set of them.
enum class Power : uint8_t {
  kSeeProjects,
  kManageProjects,
  kSeeKeys,          ///< of projects, and their service accounts
  kManageKeys,       ///< the same
  kSeeMembers,       ///< and invitations
  kManageMembers,    ///< the same
  kManageAdminKeys,  ///< to see them takes it too
  kSeeAudit,
  kSeeMoney,     ///< wallets, prices, usage, costs
  kManageMoney,  ///< spend limits and alerts; only the operator's own organisation credits and prices
  kManageOrganisation,
  kEveryProject,  ///< not only those one is a member of; and what is told of all together, as invoices
};

bool may(Role role, Power power);
/// A role can give, change and take only roles that may nothing it may not itself.
bool may_grant(Role giver, Role given);
/// "owner", "admin", "developer", "billing", "auditor".
std::string_view name_of(Role role);
/// The reverse; "reader", as OpenAI calls whoever only uses the API, is a developer. kInvalidArgument.
Result<Role> parse_role(std::string_view name);

/// What someone is to a project.
enum class ProjectRole : uint8_t { kOwner = 0, kMember = 1 };

std::string_view name_of(ProjectRole role);
Result<ProjectRole> parse_project_role(std::string_view name);

/// A person in an organisation.
struct Member {
  std::string id;            ///< "user_…"
  std::string organisation;  ///< id
  std::string email;         ///< unique in the organisation; in small letters
  std::string name;
  Role role = Role::kDeveloper;
  WallTime added;
  std::string password;  ///< argon2id, never shown; empty: cannot log in
};

struct ProjectMember {
  std::string project_id;
  std::string member_id;
  ProjectRole role = ProjectRole::kMember;
  WallTime added;
};

/// A machine that acts for a project with keys of its own.
struct ServiceAccount {
  std::string id;  ///< "svc_…"
  std::string project_id;
  std::string name;
  ProjectRole role =
      ProjectRole::kMember;  ///< as OpenAI's clients want one; its keys call models and no more
  WallTime created;
};

struct InvitedTo {
  std::string project_id;
  ProjectRole role = ProjectRole::kMember;
};

/// A way into an organisation for one person, once.
struct Invite {
  std::string id;            ///< "invite_…"
  std::string organisation;  ///< id
  std::string email;
  Role role = Role::kDeveloper;
  std::vector<InvitedTo> projects;
  WallTime created;
  WallTime expires;
  std::optional<WallTime> accepted;

  /// "accepted", "expired" or "pending".
  std::string_view status(WallTime now) const;
};

struct NewInvite {
  Invite invite;
  std::string token;  ///< shown once, never stored
};

/// The id of an invitation by its token: "ID.SECRET".
std::string invite_id_of(std::string_view token);

/// argon2id with libsodium's parameters for interactive logins: takes about 64 MiB and a tenth of a second,
/// so never inside a transaction. kInvalidArgument when the password is shorter than 10 bytes or longer than
/// 1024.
Result<std::string> hash_password(std::string_view password);
bool is_password(const std::string& hash, std::string_view password);

}  // namespace feilun::ledger
