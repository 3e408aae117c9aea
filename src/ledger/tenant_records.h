#pragma once

#include <vector>

#include "ledger/ledger.h"
#include "ledger/record.h"

// Tenants as records and back. The bodies are part of the format (docs/formats/ledger.md).

namespace feilun::ledger {

/// A secret that a rotation has replaced and that is good a while longer.
struct OldSecret {
  Hash hash{};
  WallTime until;
};

/// A key with what is never shown of it.
struct KeyRow {
  Key key;
  Hash hash{};                      ///< BLAKE2b-256 of the secret
  std::vector<OldSecret> previous;  ///< at most kPreviousMax
  int64_t changed = 0;              ///< the journal entry that last touched it
};

inline constexpr size_t kPreviousMax = 8;

/// An invitation with what is never shown of it.
struct InviteRow {
  Invite invite;
  Hash hash{};  ///< BLAKE2b-256 of the token
};

Record record_of(const Organisation& organisation);
Record record_of(const Project& project);
Record record_of(const KeyRow& row);
Record record_of(const Member& member);
Record record_of(const ProjectMember& member);
Record record_of(const ServiceAccount& account);
Record record_of(const InviteRow& row);

Result<Organisation> organisation_from(const Record& record);
Result<Project> project_from(const Record& record);
Result<KeyRow> key_from(const Record& record);
Result<Member> member_from(const Record& record);
Result<ProjectMember> project_member_from(const Record& record);
Result<ServiceAccount> service_account_from(const Record& record);
Result<InviteRow> invite_from(const Record& record);

/// Names are unique within an organisation: a record's is "ORGANISATION/NAME" but in the default one.
std::string name_within(std::string_view organisation, std::string_view name);
/// The id of what a member is to a project.
std::string project_member_id(std::string_view project_id, std::string_view member_id);

}  // namespace feilun::ledger
