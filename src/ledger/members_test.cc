#include "ledger/members.h"

#include <gtest/gtest.h>

#include "ledger/books.h"
#include "ledger/ledger_fixture.h"
#include "ledger/tenant_records.h"

namespace feilun::ledger {
namespace {

TEST(Roles, AreWhatTheTableSays) {
  EXPECT_TRUE(may(Role::kOwner, Power::kManageMoney));
  EXPECT_FALSE(may(Role::kAdmin, Power::kManageMoney));
  EXPECT_TRUE(may(Role::kAdmin, Power::kManageMembers));
  EXPECT_TRUE(may(Role::kBilling, Power::kManageMoney));
  EXPECT_FALSE(may(Role::kBilling, Power::kSeeKeys));
  EXPECT_TRUE(may(Role::kAuditor, Power::kSeeAudit));
  EXPECT_FALSE(may(Role::kAuditor, Power::kManageKeys));
  EXPECT_FALSE(may(Role::kDeveloper, Power::kSeeMembers));
}

TEST(Roles, NobodyGivesAwayWhatHeHasNot) {
  EXPECT_TRUE(may_grant(Role::kOwner, Role::kOwner));
  EXPECT_FALSE(may_grant(Role::kAdmin, Role::kOwner));
  EXPECT_FALSE(may_grant(Role::kAdmin, Role::kBilling));
  EXPECT_TRUE(may_grant(Role::kAdmin, Role::kDeveloper));
  EXPECT_FALSE(may_grant(Role::kDeveloper, Role::kAuditor));
  for (const Role role : {Role::kOwner, Role::kAdmin, Role::kDeveloper, Role::kBilling, Role::kAuditor}) {
    EXPECT_EQ(parse_role(name_of(role)).value(), role);
    EXPECT_TRUE(may_grant(Role::kOwner, role));
  }
  EXPECT_EQ(parse_role("reader").value(), Role::kDeveloper);
  EXPECT_FALSE(parse_role("root"));
}

TEST(Passwords, AreHashedWithArgon2id) {
  const std::string hash = hash_password("correct horse").value();
  EXPECT_TRUE(hash.starts_with("$argon2id$"));
  EXPECT_TRUE(is_password(hash, "correct horse"));
  EXPECT_FALSE(is_password(hash, "correct horsf"));
  EXPECT_FALSE(is_password("", ""));
  EXPECT_FALSE(hash_password("short"));
  EXPECT_FALSE(hash_password(std::string(1025, 'x')));
}

class MembersTest : public LedgerTest {
 protected:
  template <typename T>
  Result<T> act(std::move_only_function<Result<T>(Books&)> what) {
    return ledger_->write<T>(std::move(what));
  }
  Result<NewInvite> invite(Invite invite) {
    if (invite.email.empty()) invite.email = "Ann@Example.com";
    invite.organisation = "default";
    if (invite.expires == WallTime()) invite.expires = clock_.wall() + std::chrono::hours(1);
    return act<NewInvite>([&](Books& books) { return books.invite(invite); });
  }
  Result<Member> accept(std::string_view token) {
    return act<Member>([&](Books& books) { return books.accept_invite(token, "Ann", ""); });
  }
  Member member(const char* email, Role role) {
    return act<Member>([&](Books& books) {
             return books.add_member({.organisation = "default", .email = email, .role = role});
           })
        .value();
  }
};

TEST_F(MembersTest, AnInvitationIsAcceptedOnce) {
  const NewInvite made =
      invite({.role = Role::kAuditor, .projects = {{project_id(), ProjectRole::kOwner}}}).value();
  EXPECT_EQ(made.invite.status(clock_.wall()), "pending");
  const Member ann = accept(made.token).value();
  EXPECT_EQ(ann.email, "ann@example.com");
  EXPECT_EQ(ann.role, Role::kAuditor);
  EXPECT_EQ(accept(made.token).error().code, ErrorCode::kConflict);
  const std::string project = project_id();
  const auto belongs = ledger_->read<std::optional<ProjectMember>>(
      [&](State& state) { return find_project_member(state, project, ann.id); });
  ASSERT_TRUE(belongs->has_value());
  EXPECT_EQ((*belongs)->role, ProjectRole::kOwner);
  const auto listed =
      ledger_->read<Invite>([&](State& state) { return find_invite(state, made.invite.id); }).value();
  EXPECT_EQ(listed.status(clock_.wall()), "accepted");
  EXPECT_EQ(act<void>([&](Books& books) { return books.revoke_invite(made.invite.id); }).error().code,
            ErrorCode::kConflict);
}

TEST_F(MembersTest, WrongRevokedAndExpiredInvitationsAreRefused) {
  const NewInvite made = invite({}).value();
  for (const std::string& token : {std::string(), made.invite.id, made.invite.id + ".", made.token + "x",
                                   made.token.substr(0, made.token.size() - 1), std::string("x.y")}) {
    EXPECT_EQ(accept(token).error().code, ErrorCode::kUnauthorized) << token;
  }
  ASSERT_TRUE(act<void>([&](Books& books) { return books.revoke_invite(made.invite.id); }));
  EXPECT_EQ(accept(made.token).error().code, ErrorCode::kUnauthorized);
  const NewInvite late = invite({}).value();
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(accept(late.token).error().code, ErrorCode::kUnauthorized);
  EXPECT_EQ(late.invite.status(clock_.wall()), "expired");
}

TEST_F(MembersTest, AddressesAreCheckedAndUnique) {
  for (const char* email : {"", "ann", "@x", "ann@", "a@b@c", "a b@c", "a/b@c"}) {
    const auto made = act<Member>(
        [&](Books& books) { return books.add_member({.organisation = "default", .email = email}); });
    EXPECT_FALSE(made) << email;
  }
  member("ann@example.com", Role::kOwner);
  EXPECT_EQ(invite({}).error().code, ErrorCode::kConflict);
}

TEST_F(MembersTest, WhoIsRemovedLosesKeysAndTheLastOwnerStays) {
  const Member owner = member("owner@example.com", Role::kOwner);
  const Member ann = member("ann@example.com", Role::kAdmin);
  ASSERT_TRUE(act<ProjectMember>(
      [&](Books& books) { return books.put_project_member(project_id(), ann.id, ProjectRole::kMember); }));
  const auto key = [&](KeyRole role) {
    return act<NewKey>([&](Books& books) {
             return books.create_key({.role = role, .organisation_role = Role::kAdmin, .owner = ann.id});
           })
        .value();
  };
  const NewKey admin = key(KeyRole::kAdmin);
  const NewKey plain = key(KeyRole::kProject);
  ASSERT_TRUE(act<Member>([&](Books& books) { return books.change_member(ann.id, Role::kAuditor); }));
  EXPECT_EQ(ledger_->authenticate(admin.secret)->organisation_role, Role::kAuditor);
  EXPECT_FALSE(act<void>([&](Books& books) { return books.remove_member(owner.id); }));
  EXPECT_FALSE(act<Member>([&](Books& books) { return books.change_member(owner.id, Role::kBilling); }));
  ASSERT_TRUE(act<void>([&](Books& books) { return books.remove_member(ann.id); }));
  EXPECT_FALSE(ledger_->authenticate(admin.secret));
  EXPECT_FALSE(ledger_->authenticate(plain.secret));
  EXPECT_TRUE(member("ann@example.com", Role::kAdmin).id != ann.id);
}

TEST_F(MembersTest, AServiceAccountTakesItsKeysWithIt) {
  const ServiceAccount robot = act<ServiceAccount>([&](Books& books) {
                                 return books.create_service_account("default", "robot");
                               }).value();
  const NewKey key = act<NewKey>([&](Books& books) { return books.create_key({.owner = robot.id}); }).value();
  const NewKey other = act<NewKey>([&](Books& books) { return books.create_key({}); }).value();
  ASSERT_TRUE(act<void>([&](Books& books) { return books.remove_service_account(robot.id); }));
  EXPECT_FALSE(ledger_->authenticate(key.secret));
  EXPECT_TRUE(ledger_->authenticate(other.secret));
}

}  // namespace
}  // namespace feilun::ledger
