#include "ledger/members.h"

#include <sodium.h>

#include <algorithm>
#include <initializer_list>

namespace feilun::ledger {
namespace {

constexpr uint32_t powers(std::initializer_list<Power> list) {
  uint32_t bits = 0;
  for (const Power power : list) bits |= uint32_t{1} << static_cast<int>(power);
  return bits;
}

struct RoleLine {
  Role role;
  std::string_view name;
  uint32_t powers;
};

using enum Power;
constexpr uint32_t kAll = ~uint32_t{0};
constexpr uint32_t kLooks =
    powers({kSeeProjects, kSeeKeys, kSeeMembers, kSeeAudit, kSeeMoney, kEveryProject});

constexpr RoleLine kRoles[] = {
    {Role::kOwner, "owner", kAll},
    {Role::kAdmin, "admin",
     kLooks | powers({kManageProjects, kManageKeys, kManageMembers, kManageAdminKeys})},
    {Role::kDeveloper, "developer", powers({kSeeProjects, kSeeKeys, kManageKeys, kSeeMoney})},
    {Role::kBilling, "billing", powers({kSeeProjects, kSeeMoney, kManageMoney, kEveryProject})},
    {Role::kAuditor, "auditor", kLooks},
};

const RoleLine& line_of(Role role) {
  return kRoles[static_cast<size_t>(role)];
}

constexpr size_t kPasswordBytesMin = 10;
constexpr size_t kPasswordBytesMax = 1024;

}  // namespace

bool may(Role role, Power power) {
  return (line_of(role).powers & powers({power})) != 0;
}

bool may_grant(Role giver, Role given) {
  return (line_of(given).powers & ~line_of(giver).powers) == 0;
}

std::string_view name_of(Role role) {
  return line_of(role).name;
}

Result<Role> parse_role(std::string_view name) {
  if (name == "reader") return Role::kDeveloper;
  const auto line = std::ranges::find(kRoles, name, &RoleLine::name);
  if (line != std::end(kRoles)) return line->role;
  return fail(ErrorCode::kInvalidArgument,
              "there is no role '{}': it is owner, admin, developer, billing or auditor", name);
}

std::string_view name_of(ProjectRole role) {
  return role == ProjectRole::kOwner ? "owner" : "member";
}

Result<ProjectRole> parse_project_role(std::string_view name) {
  if (name == "owner") return ProjectRole::kOwner;
  if (name == "member") return ProjectRole::kMember;
  return fail(ErrorCode::kInvalidArgument, "a role in a project is owner or member, not '{}'", name);
}

std::string_view Invite::status(WallTime now) const {
  if (accepted) return "accepted";
  return now >= expires ? "expired" : "pending";
}

std::string invite_id_of(std::string_view token) {
  return std::string(token.substr(0, token.find('.')));
}

Result<std::string> hash_password(std::string_view password) {
  if (password.size() < kPasswordBytesMin || password.size() > kPasswordBytesMax) {
    return fail(ErrorCode::kInvalidArgument, "a password has {} to {} bytes", kPasswordBytesMin,
                kPasswordBytesMax);
  }
  char hash[crypto_pwhash_STRBYTES];
  if (crypto_pwhash_str(hash, password.data(), password.size(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                        crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0) {
    return fail(ErrorCode::kOverloaded, "there is no memory to hash a password now");
  }
  return std::string(hash);
}

bool is_password(const std::string& hash, std::string_view password) {
  return hash.size() < crypto_pwhash_STRBYTES &&
         crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

}  // namespace feilun::ledger
