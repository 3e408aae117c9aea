#include <gtest/gtest.h>

#include "ledger/audit_log.h"
#include "ledger/books.h"
#include "ledger/ledger_fixture.h"
#include "ledger/paying_tenant.h"
#include "ledger/record.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class TenantsTest : public LedgerTest {
 protected:
  template <typename T>
  Result<T> act(std::move_only_function<Result<T>(Books&)> what) {
    return ledger_->write<T>(std::move(what));
  }
  Organisation organisation(const char* name) {
    return act<Organisation>(
               [&](Books& books) { return books.create_organisation({.name = name, .currency = "CNY"}); })
        .value();
  }
  Project project(const std::string& name, const std::string& organisation) {
    return act<Project>([&](Books& books) { return books.create_project(name, "CNY", organisation); })
        .value();
  }
  NewKey key(KeyRequest request) {
    return act<NewKey>([&](Books& books) { return books.create_key(request); }).value();
  }
  std::string refusal(const std::string& secret) {
    const auto found = ledger_->authenticate(secret);
    return found ? "" : found.error().message;
  }
};

TEST_F(TenantsTest, OrganisationsMayHaveProjectsOfTheSameName) {
  const Organisation acme = organisation("acme");
  const Organisation globex = organisation("globex");
  const Project first = project("web", acme.id);
  const Project second = project("web", globex.id);
  EXPECT_EQ(first.name, "web");
  EXPECT_EQ(ledger_->find_project("acme/web")->id, first.id);
  EXPECT_EQ(ledger_->find_project("globex/web")->id, second.id);
  EXPECT_FALSE(ledger_->find_project("web"));
  const auto again = act<Project>([&](Books& books) { return books.create_project("web", "CNY", acme.id); });
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_FALSE(act<Project>([&](Books& books) { return books.create_project("a/b", "CNY"); }));
}

TEST_F(TenantsTest, ANameThatStandsForAnothersWalletIsRefused) {
  const Organisation acme = organisation("acme");
  const Project victim = project("victim", "default");
  const auto renamed = [&](const std::string& name) {
    const OrganisationChange change{.name = name};
    const auto done =
        act<Organisation>([&](Books& books) { return books.change_organisation(acme.id, change); });
    return done ? ErrorCode::kInternal : done.error().code;
  };
  EXPECT_EQ(renamed(victim.id), ErrorCode::kInvalidArgument);
  EXPECT_EQ(renamed("victim"), ErrorCode::kConflict);
  EXPECT_EQ(renamed("default"), ErrorCode::kInvalidArgument);
  for (const char* name : {"acme", "org_1", "Proj_1"}) {
    EXPECT_FALSE(act<Project>([&](Books& books) { return books.create_project(name, "CNY"); })) << name;
  }
  EXPECT_EQ(project("victim", acme.id).name, "victim") << "it is acme/victim";
}

TEST_F(TenantsTest, OfWhatAnEarlierProgramNamedAlikeTheIdDecides) {
  const Organisation acme = organisation("acme");
  const Project victim = project("victim", "default");
  const auto call_acme = [&](const std::string& name) {
    EXPECT_TRUE(act<bool>([&](Books& books) -> Result<bool> {
      const Record before = TRY(find_record(books.state(), "organisation", acme.id)).value();
      Record after = before;
      after.name = name;
      write_record_rows(books.state(), before, after);
      return true;
    }));
  };
  const auto payer = [&](const std::string& owner) {
    return ledger_->read<Payer>([&](State& state) { return find_payer(state, owner); });
  };
  call_acme("victim");
  EXPECT_EQ(payer("victim").error().code, ErrorCode::kConflict);
  EXPECT_EQ(payer(victim.id)->id, victim.id);
  EXPECT_EQ(payer(acme.id)->id, acme.id);
  call_acme(victim.id);
  EXPECT_EQ(payer(victim.id)->id, victim.id);
}

TEST_F(TenantsTest, CurrenciesThatNoInvoiceCanAskForAreRefused) {
  const auto made = act<Organisation>(
      [](Books& books) { return books.create_organisation({.name = "acme", .currency = "RMB"}); });
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "'RMB' is not a national currency of ISO 4217");
  EXPECT_FALSE(act<Project>([](Books& books) { return books.create_project("web", "RMB"); }));
}

TEST_F(TenantsTest, RenamingFreesTheOldName) {
  const Organisation acme = organisation("acme");
  const Project web = project("web", acme.id);
  ASSERT_TRUE(act<Project>([&](Books& books) { return books.rename_project(web.id, "site"); }));
  ASSERT_TRUE(act<Organisation>([&](Books& books) {
    return books.change_organisation("acme", {.name = "acme2", .time_zone = "Asia/Shanghai"});
  }));
  EXPECT_EQ(ledger_->find_project("acme2/site")->id, web.id);
  EXPECT_FALSE(ledger_->find_project("acme2/web"));
  EXPECT_EQ(project("web", acme.id).name, "web");
  EXPECT_FALSE(act<Organisation>(
      [&](Books& books) { return books.change_organisation(acme.id, {.time_zone = "Mars/Olympus"}); }));
}

TEST_F(TenantsTest, KeysOfWhatIsArchivedAreRefused) {
  const Organisation acme = organisation("acme");
  const Project web = project("web", acme.id);
  const Project shop = project("shop", acme.id);
  const NewKey of_web = key({.parent = web.id});
  const NewKey of_shop = key({.parent = shop.id});
  const NewKey admin = key({.parent = acme.id, .role = KeyRole::kAdmin});
  EXPECT_EQ(ledger_->authenticate(of_web.secret)->organisation, acme.id);
  EXPECT_EQ(ledger_->authenticate(admin.secret)->organisation, acme.id);
  ASSERT_TRUE(act<Project>([&](Books& books) { return books.archive_project(web.id); }));
  EXPECT_NE(refusal(of_web.secret), "");
  EXPECT_EQ(refusal(of_shop.secret), "");
  EXPECT_FALSE(act<NewKey>([&](Books& books) { return books.create_key({.parent = web.id}); }));
  ASSERT_TRUE(act<Organisation>([&](Books& books) { return books.archive_organisation(acme.id); }));
  EXPECT_NE(refusal(of_shop.secret), "");
  EXPECT_NE(refusal(admin.secret), "");
  reopen();
  EXPECT_NE(refusal(of_shop.secret), "");
  EXPECT_FALSE(act<Project>([&](Books& books) { return books.archive_project("default"); }));
}

TEST_F(TenantsTest, ARotatedSecretIsGoodUntilTheTimeGivenAndNotAMomentLonger) {
  const NewKey first = key({.name = "backend"});
  const WallTime until = clock_.wall() + hours(1);
  const NewKey second =
      act<NewKey>([&](Books& books) { return books.rotate_key(first.key.id, until); }).value();
  EXPECT_EQ(second.key.id, first.key.id);
  EXPECT_NE(second.secret, first.secret);
  EXPECT_EQ(ledger_->authenticate(first.secret)->id, first.key.id);
  EXPECT_EQ(ledger_->authenticate(second.secret)->id, first.key.id);
  clock_.advance(hours(1) - std::chrono::microseconds(1));
  EXPECT_EQ(refusal(first.secret), "");
  clock_.advance(std::chrono::microseconds(1));
  EXPECT_NE(refusal(first.secret), "");
  EXPECT_EQ(refusal(second.secret), "");
  const NewKey third =
      act<NewKey>([&](Books& books) { return books.rotate_key(first.key.id, clock_.wall()); }).value();
  EXPECT_NE(refusal(second.secret), "");
  EXPECT_EQ(refusal(third.secret), "");
  ASSERT_TRUE(ledger_->revoke_key(first.key.id));
  EXPECT_NE(refusal(third.secret), "");
  EXPECT_FALSE(act<NewKey>([&](Books& books) { return books.rotate_key(first.key.id, until + hours(9)); }));
}

TEST_F(TenantsTest, ALaterRotationNeverLengthensAnOverlap) {
  const NewKey first = key({});
  const auto rotate = [&](seconds overlap) {
    return act<NewKey>([&](Books& books) { return books.rotate_key(first.key.id, clock_.wall() + overlap); })
        .value();
  };
  const NewKey second = rotate(seconds(100));
  rotate(seconds(10));
  clock_.advance(seconds(50));
  EXPECT_NE(refusal(first.secret), "");
  EXPECT_NE(refusal(second.secret), "");
}

TEST_F(TenantsTest, KeysExpireAndKeepTheirScope) {
  const KeyScope scope{.models = {"nano"},
                       .endpoints = {"/v1/embeddings"},
                       .networks = {Network::parse("10.0.0.0/8").value()}};
  const NewKey made = key({.expires = clock_.wall() + seconds(60), .scope = scope});
  reopen();
  const Key found = ledger_->authenticate(made.secret).value();
  ASSERT_NE(found.scope, nullptr);
  EXPECT_EQ(*found.scope, scope);
  clock_.advance(seconds(60));
  EXPECT_NE(refusal(made.secret), "");
  ASSERT_TRUE(act<Key>([&](Books& books) {
    return books.change_key(made.key.id, {.expires = std::optional<WallTime>(), .scope = KeyScope{}});
  }));
  EXPECT_EQ(ledger_->authenticate(made.secret)->scope, nullptr);
  EXPECT_FALSE(act<NewKey>([&](Books& books) { return books.create_key({.expires = clock_.wall()}); }));
}

TEST_F(TenantsTest, TheAuditLogTellsWhoDidWhatNewestFirst) {
  const Organisation acme = organisation("acme");
  const Organisation globex = organisation("globex");
  const Project web = project("web", acme.id);
  const NewKey made = act<NewKey>([&](Books& books) {
                        books.act_as("key_boss");
                        return books.create_key({.parent = web.id, .name = "backend"});
                      }).value();
  ASSERT_TRUE(ledger_->revoke_key(made.key.id));
  const auto acts = [&](std::string_view organisation, ActFilter filter = {}, int64_t limit = 100) {
    return ledger_
        ->read<std::vector<Act>>([&](State& state) { return acts_of(state, organisation, filter, limit); })
        .value();
  };
  const auto all = acts(acme.id);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].event(), "api_key.deleted");
  EXPECT_EQ(all[0].actor, "local");
  EXPECT_EQ(all[1].event(), "api_key.created");
  EXPECT_EQ(all[1].actor, "key_boss");
  EXPECT_TRUE(all[1].before.empty());
  EXPECT_TRUE(all[1].after.contains("backend"));
  EXPECT_EQ(all[2].event(), "project.created");
  EXPECT_EQ(all[3].event(), "organization.created");
  for (const Act& each : all) EXPECT_FALSE(each.after.contains("hash"));
  EXPECT_EQ(acts(globex.id).size(), 1u);
  EXPECT_EQ(acts(acme.id, {.actors = {"key_boss"}}).size(), 1u);
  EXPECT_EQ(acts(acme.id, {.events = {"project.created"}})[0].id, web.id);
  EXPECT_EQ(acts(acme.id, {.projects = {web.id}}).size(), 3u);
  EXPECT_EQ(acts(acme.id, {.before = all[1].sequence})[0].sequence, all[2].sequence);
  EXPECT_EQ(acts(acme.id, {}, 2).size(), 2u);
  EXPECT_TRUE(acts(acme.id, {.until = clock_.wall()}).empty());
  EXPECT_EQ(acts(acme.id, {.from = clock_.wall()}).size(), 4u);
}

TEST_F(TenantsTest, AFilteredAuditLogIsFoundBehindManyOtherActs) {
  const Organisation acme = organisation("acme");
  const Project web = project("web", acme.id);
  ASSERT_TRUE(act<void>([&](Books& books) -> Result<> {
    for (int i = 0; i < 1000; ++i) TRY(books.create_key({.parent = web.id}));
    return {};
  }));
  const auto found = ledger_->read<std::vector<Act>>(
      [&](State& state) { return acts_of(state, acme.id, {.events = {"project.created"}}, 5); });
  ASSERT_EQ(found->size(), 1u);
}

}  // namespace
}  // namespace feilun::ledger
