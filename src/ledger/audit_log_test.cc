#include "ledger/audit_log.h"

#include <gtest/gtest.h>

#include "ledger/accounts_fixture.h"

namespace feilun::ledger {
namespace {

class AuditLogTest : public AccountsTest {
 protected:
  std::vector<Act> acts(const ActFilter& filter, int64_t limit = 100) {
    return ledger_
        ->read<std::vector<Act>>([&](State& state) { return acts_of(state, "default", filter, limit); })
        .value();
  }
  std::vector<std::string> names(const ActFilter& filter, int64_t limit) {
    std::vector<std::string> names;
    for (const Act& act : acts(filter, limit)) names.push_back(act.name);
    return names;
  }
};

using Names = std::vector<std::string>;

TEST_F(AuditLogTest, GoesForwardAndBackFromAnEntry) {
  for (const char* name : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(ledger_->create_project(name, "CNY"));
  const ActFilter all{.events = {"project.created"}};
  const auto newest = acts(all, 5);
  ASSERT_EQ(newest.size(), 5u);
  ActFilter filter = all;
  filter.before = newest[1].sequence;  // d
  EXPECT_EQ(names(filter, 2), (Names{"c", "b"}));
  filter = all;
  filter.after = newest[3].sequence;  // b
  EXPECT_EQ(names(filter, 2), (Names{"d", "c"}));
  EXPECT_EQ(names(filter, 100), (Names{"e", "d", "c"}));
  filter.before = newest[0].sequence;
  EXPECT_EQ(names(filter, 100), (Names{"d", "c"}));
  filter = all;
  filter.after = newest[0].sequence;
  EXPECT_TRUE(names(filter, 2).empty());
}

TEST_F(AuditLogTest, ShowsNoSecretOfAWebhook) {
  const auto webhook = ledger_->write<Webhook>([](Books& books) {
    return books.set_webhook({.organisation = "default", .url = "https://example.com/"});
  });
  ASSERT_TRUE(webhook);
  const auto made = acts({.events = {"webhook.created"}});
  ASSERT_EQ(made.size(), 1u);
  EXPECT_NE(made[0].after.find("example.com"), std::string::npos);
  EXPECT_EQ(made[0].after.find(webhook->secret), std::string::npos);
}

TEST_F(AuditLogTest, WhatWasArchivedAndRestoredTakesKeysAgain) {
  const auto acme = ledger_->write<Organisation>(
      [](Books& books) { return books.create_organisation({.name = "acme", .currency = "CNY"}); });
  const auto web =
      ledger_->write<Project>([&](Books& books) { return books.create_project("web", "CNY", acme->id); });
  const auto key = ledger_->create_key(web->id, "backend", KeyRole::kProject);
  ASSERT_TRUE(key);
  const auto works = [&] { return ledger_->authenticate(key->secret).has_value(); };
  ASSERT_TRUE(ledger_->write<Project>([&](Books& books) { return books.archive_project(web->id); }));
  EXPECT_FALSE(works());
  EXPECT_FALSE(ledger_->create_key(web->id, "more", KeyRole::kProject));
  ASSERT_TRUE(ledger_->write<Organisation>([&](Books& books) { return books.archive_organisation("acme"); }));
  ASSERT_TRUE(ledger_->write<Project>([&](Books& books) { return books.restore_project(web->id); }));
  EXPECT_FALSE(works());
  ASSERT_TRUE(ledger_->write<Organisation>([&](Books& books) { return books.restore_organisation("acme"); }));
  EXPECT_TRUE(works());
  EXPECT_TRUE(ledger_->create_key(web->id, "more", KeyRole::kProject));
  const auto events =
      ledger_->read<std::vector<Act>>([&](State& state) { return acts_of(state, acme->id, {}, 2); });
  EXPECT_EQ(events->at(1).event(), "organization.restored");
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
