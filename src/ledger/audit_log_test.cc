#include "ledger/audit_log.h"

#include <gtest/gtest.h>

#include "ledger/invoicing_fixture.h"

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

/// Every act of an administrator, done by one key, is in the log of its organisation.
class EveryActTest : public InvoicingTest {
 protected:
  /// Does it, and returns what it gave (or whether it was done).
  template <typename Does>
  auto done(const std::string& event, Does does, const std::string& organisation = "") {
    using Value = std::invoke_result_t<Does, Books&>::value_type;
    const std::string whose = organisation.empty() ? acme_ : organisation;
    const auto before = newest(whose);
    auto made = ledger_->write<Value>([&](Books& books) {
      books.act_as("key_boss");
      return does(books);
    });
    EXPECT_TRUE(made) << event << ": " << made.error().message;
    const auto after = newest(whose);
    const auto logged = std::ranges::find(after, event, &Act::event);
    const bool is_new = logged != after.end() && (before.empty() || logged->sequence > before[0].sequence);
    EXPECT_TRUE(is_new) << event << " is not in the log";
    if (is_new) {
      EXPECT_EQ(logged->actor, "key_boss") << event;
      EXPECT_EQ(logged->time, clock_.wall()) << event;
      EXPECT_FALSE(logged->before.empty() && logged->after.empty()) << event;
      last_ = *logged;
    }
    return std::move(made).value();
  }
  std::vector<Act> newest(const std::string& organisation) {
    return ledger_->read<std::vector<Act>>([&](State& state) { return acts_of(state, organisation, {}, 3); })
        .value();
  }

  Act last_;
};

TEST_F(EveryActTest, OnOrganisationsAndProjects) {
  done("organization.updated", [&](Books& books) { return books.set_credit_limit(acme_, yuan("5")); });
  done("organization.updated",
       [&](Books& books) { return books.change_organisation(acme_, {.time_zone = "UTC"}); });
  done("organization.archived", [&](Books& books) { return books.archive_organisation(acme_); });
  done("organization.restored", [&](Books& books) { return books.restore_organisation(acme_); });
  const Project green =
      done("project.created", [](Books& books) { return books.create_project("green", "CNY", "acme"); });
  done("project.updated", [&](Books& books) { return books.rename_project(green.id, "lime"); });
  done("project.archived", [&](Books& books) { return books.archive_project(green.id); });
  done("project.restored", [&](Books& books) { return books.restore_project(green.id); });
  const auto made = ledger_->write<Organisation>([](Books& books) {
    books.act_as("key_boss");
    return books.create_organisation({.name = "beta", .currency = "CNY"});
  });
  EXPECT_EQ(newest(made->id).at(0).event(), "organization.created");
  EXPECT_EQ(newest(made->id).at(0).actor, "key_boss");
  expect_verified();
}

TEST_F(EveryActTest, OnKeysAndServiceAccounts) {
  const NewKey key = done(
      "api_key.created", [&](Books& books) { return books.create_key({.parent = red_, .name = "backend"}); });
  const std::string& id = key.key.id;
  done("api_key.updated", [&](Books& books) { return books.change_key(id, {.name = "front end"}); });
  done("api_key.updated", [&](Books& books) { return books.rotate_key(id, clock_.wall()); });
  done("api_key.deleted", [&](Books& books) { return books.revoke_key(id); });
  const ServiceAccount robot = done(
      "service_account.created", [&](Books& books) { return books.create_service_account(red_, "robot"); });
  done("service_account.updated",
       [&](Books& books) { return books.change_service_account(robot.id, "android"); });
  done("service_account.deleted", [&](Books& books) { return books.remove_service_account(robot.id); });
}

TEST_F(EveryActTest, OnMembersAndInvitations) {
  const Member ann = done("user.added", [&](Books& books) {
    return books.add_member(
        {.organisation = acme_, .email = "ann@a.cn", .name = "Ann", .role = Role::kOwner});
  });
  const Member bob = done("user.added", [&](Books& books) {
    return books.add_member({.organisation = acme_, .email = "bob@a.cn", .name = "Bob"});
  });
  done("user.updated", [&](Books& books) { return books.change_member(bob.id, Role::kAuditor); });
  done("project.user.added",
       [&](Books& books) { return books.put_project_member(red_, bob.id, ProjectRole::kMember); });
  done("project.user.updated",
       [&](Books& books) { return books.put_project_member(red_, bob.id, ProjectRole::kOwner); });
  done("project.user.deleted", [&](Books& books) { return books.remove_project_member(red_, bob.id); });
  done("user.deleted", [&](Books& books) { return books.remove_member(bob.id); });
  const Invite to{.organisation = acme_, .email = "eve@a.cn", .expires = in(std::chrono::hours(1))};
  const NewInvite first = done("invite.sent", [&](Books& books) { return books.invite(to); });
  done("invite.deleted", [&](Books& books) { return books.revoke_invite(first.invite.id); });
  const NewInvite second = done("invite.sent", [&](Books& books) { return books.invite(to); });
  // Who accepts is the member that comes to be.
  const auto eve =
      ledger_->write<Member>([&](Books& books) { return books.accept_invite(second.token, "Eve", ""); });
  EXPECT_EQ(newest(acme_).at(1).event(), "invite.accepted");
  EXPECT_EQ(newest(acme_).at(1).actor, eve->id);
}

TEST_F(EveryActTest, OnLimitsWebhooksAndPrices) {
  SpendLimit limit{.scope = red_, .window_s = 3600, .bound = Quantity::pico(1)};
  limit = done("limit.created", [&](Books& books) { return books.set_limit(limit); });
  limit.bound = Quantity::pico(2);
  done("limit.updated", [&](Books& books) { return books.set_limit(limit); });
  done("limit.ended", [&](Books& books) { return books.end_limit(limit.id); });
  Webhook webhook{.organisation = acme_, .url = "https://example.com/"};
  webhook = done("webhook.created", [&](Books& books) { return books.set_webhook(webhook); });
  webhook.url = "https://example.com/other";
  done("webhook.updated", [&](Books& books) { return books.set_webhook(webhook); });
  done("webhook.ended", [&](Books& books) { return books.end_webhook(webhook.id); });
  PriceVersion price{.offering = "nano", .currency = "CNY"};
  price.rows = pricing::flat_rows({yuan("1"), yuan("1"), yuan("1"), yuan("1"), yuan("1")});
  done("price.published", [&](Books& books) { return books.set_price(price); }, "default");
}

TEST_F(EveryActTest, ThatPromisesOrMovesMoney) {
  const Commitment promise = done("commitment.created", [&](Books& books) {
    return books.commit(
        {.organisation = acme_, .currency = "CNY", .amount = yuan("1"), .from = month("2023-11")});
  });
  done("commitment.updated",
       [&](Books& books) { return books.end_commitment(promise.id, month("2023-12")); });
  done("lot.created", [&](Books& books) { return books.grant(acme_, money_lot("1"), "gift"); });
  done("credit.created",
       [&](Books& books) { return books.credit(acme_, yuan("0.5"), "CNY", "a \"gift\" of \\", "once"); });
  EXPECT_EQ(last_.parent, acme_);
  EXPECT_EQ(last_.name, "once");
  EXPECT_EQ(last_.before, "");
  EXPECT_EQ(last_.after, R"({"currency":"CNY","amount":"500000000000","reason":"a \"gift\" of \\"})");
  serve(red_, 5'000'000);
  done("refund.created", [&](Books& books) {
    return books.refund(
        {.request_id = "r1", .amount = yuan("0.5"), .reason = "slow", .idempotency_key = "r"});
  });
  EXPECT_EQ(last_.id, "r1");
  EXPECT_EQ(last_.parent, red_);
  EXPECT_EQ(last_.after, R"({"currency":"CNY","amount":"500000000000","tokens":0,"reason":"slow"})");
  go_to("2023-12-01T00:00:00Z");
  const Billing taxed{.owner_id = acme_, .taxes = std::vector<TaxRate>{{"VAT", "6"}}};
  done("billing.created", [&](Books& books) { return books.set_billing(taxed); });
  const Invoice invoice =
      done("invoice.created", [&](Books& books) { return books.issue_invoice(acme_, month("2023-11")); });
  const std::string number = invoice.facts.number;
  EXPECT_EQ(last_.id, number);
  EXPECT_EQ(last_.parent, acme_);
  EXPECT_EQ(last_.after, fmt::format(R"({{"month":"2023-11","currency":"CNY","total":"{}"}})",
                                     invoice.total.to_pico_string()));
  const auto paid = [&](const char* reference, const char* amount) {
    return [=](Books& books) {
      return books.pay_invoice({.invoice = number, .reference = reference, .amount = yuan(amount)});
    };
  };
  done("payment.created", paid("bank 1", "0.1"));
  EXPECT_EQ(last_.id, number + " bank 1");
  EXPECT_EQ(last_.parent, acme_);
  EXPECT_NE(last_.after.find(R"("amount":"100000000000")"), std::string::npos) << last_.after;
  done("payment.created", paid("bank 1 back", "-0.1"));
  EXPECT_NE(last_.after.find(R"("amount":"-100000000000")"), std::string::npos) << last_.after;
  done("credit_note.created", [&](Books& books) {
    return books.credit_invoice(
        {.invoice = number, .lines = {{.line = 0, .amount = yuan("0.1")}}, .reason = "too \"slow\""});
  });
  EXPECT_EQ(last_.id, number + "-C1");
  EXPECT_EQ(last_.parent, acme_);
  EXPECT_NE(last_.after.find(R"("reason":"too \"slow\"")"), std::string::npos) << last_.after;
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
