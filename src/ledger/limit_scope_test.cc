#include "ledger/limit_scope.h"

#include <gtest/gtest.h>

#include "ledger/accounts_fixture.h"

namespace feilun::ledger {
namespace {

using namespace std::chrono_literals;

class LimitScopeTest : public AccountsTest {
 protected:
  LimitScopeTest() { credit("10"); }

  SpendLimit set(SpendLimit limit) {
    const auto made = ledger_->write<SpendLimit>([&](Books& books) { return books.set_limit(limit); });
    EXPECT_TRUE(made) << made.error().message;
    return made.value_or(SpendLimit());
  }
  LimitUse use(const SpendLimit& limit) {
    return ledger_->read<LimitUse>([&](State& state) { return limit_use(state, limit, clock_.wall()); })
        .value();
  }
  Result<LimitScope> scope(const std::string& id) {
    return ledger_->read<LimitScope>([&](State& state) { return find_limit_scope(state, id); });
  }
  void serve(const std::string& id, TokenCount tokens) {
    ASSERT_TRUE(ledger_->hold_now(request(id, tokens, 0)));
    settle(id, {.input_fresh = tokens});
  }
};

TEST_F(LimitScopeTest, TellsWhatIsUsedAndWhenItIsFreeAgain) {
  const SpendLimit limit = set(
      {.scope = project_id(), .measure = Measure::kTokens, .window_s = 3600, .bound = Quantity::pico(1000)});
  EXPECT_FALSE(use(limit).frees_at);
  const WallTime begin = clock_.wall();
  serve("a", 100);
  clock_.advance(10min);
  serve("b", 200);
  ASSERT_TRUE(ledger_->hold_now(request("open", 50, 0)));
  const LimitUse now = use(limit);
  EXPECT_EQ(now.used, Quantity::pico(300));
  EXPECT_EQ(now.pending, Quantity::pico(50));
  EXPECT_EQ(now.left(), Quantity::pico(650));
  ASSERT_TRUE(now.frees_at && now.empty_at);
  EXPECT_GE(*now.frees_at, begin + 1h);
  EXPECT_LE(*now.frees_at, begin + 1h + 12s);  // a 300th of the window
  EXPECT_GE(*now.empty_at, begin + 70min);
  EXPECT_LE(*now.empty_at, begin + 70min + 12s);
  clock_.advance(51min);
  EXPECT_EQ(use(limit).used, Quantity::pico(200));
}

TEST_F(LimitScopeTest, AMonthEndsWhereTheOrganisationLives) {
  const auto acme = ledger_->write<Organisation>([&](Books& books) {
    return books.create_organisation({.name = "acme", .currency = "CNY", .time_zone = "Asia/Shanghai"});
  });
  ASSERT_TRUE(acme);
  const auto web =
      ledger_->write<Project>([&](Books& books) { return books.create_project("web", "CNY", acme->id); });
  ASSERT_TRUE(web);
  ASSERT_TRUE(ledger_->credit(acme->id, yuan("1"), "CNY", "test", ""));
  const SpendLimit limit =
      set({.scope = acme->id, .measure = Measure::kRequests, .bound = Quantity::pico(5)});
  HoldRequest one = request("r", 10, 0);
  one.project_id = web->id;
  ASSERT_TRUE(ledger_->hold_now(one));
  EXPECT_EQ(use(limit).empty_at, parse_iso8601("2023-11-30T16:00:00Z").value());
}

TEST_F(LimitScopeTest, KnowsWhoseAKeyAProjectAndAnOrganisationAre) {
  const auto acme = ledger_->write<Organisation>(
      [&](Books& books) { return books.create_organisation({.name = "acme", .currency = "CNY"}); });
  const auto web =
      ledger_->write<Project>([&](Books& books) { return books.create_project("web", "CNY", acme->id); });
  const auto key = ledger_->create_key(web->id, "backend", KeyRole::kProject);
  const auto admin = ledger_->create_key(web->id, "root", KeyRole::kAdmin);
  EXPECT_EQ(scope(key->key.id)->organisation, acme->id);
  EXPECT_EQ(scope(key->key.id)->project, web->id);
  EXPECT_EQ(scope(key->key.id)->currency, "CNY");
  EXPECT_EQ(scope(admin->key.id)->organisation, acme->id);
  EXPECT_EQ(scope(admin->key.id)->project, "");
  EXPECT_EQ(scope(web->id)->type, "project");
  EXPECT_EQ(scope(web->id)->project, web->id);
  EXPECT_EQ(scope(acme->id)->name, "acme");
  EXPECT_EQ(scope("default")->type, "organisation");
  EXPECT_EQ(scope(project_id())->organisation, "default");
  EXPECT_EQ(scope("nobody").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(scope(std::string("a\0b", 3)).error().code, ErrorCode::kNotFound);
}

TEST_F(LimitScopeTest, RemembersWhoSetIt) {
  SpendLimit limit{.scope = project_id(), .measure = Measure::kRequests, .bound = Quantity::pico(5)};
  const auto found = [&](const std::string& id) {
    return ledger_->read<SpendLimit>([&](State& state) { return find_limit(state, id); }).value();
  };
  EXPECT_FALSE(found(set(limit).id).by_operator);
  limit.by_operator = true;
  SpendLimit fixed = set(limit);
  EXPECT_TRUE(found(fixed.id).by_operator);
  fixed.bound = Quantity::pico(6);
  EXPECT_TRUE(found(set(fixed).id).by_operator);
  expect_verified();
}

TEST(QuantityTest, CountsAndMoneyAreReadAsTheyAreWritten) {
  EXPECT_EQ(parse_quantity(Measure::kTokens, "1000").value(), Quantity::pico(1000));
  EXPECT_EQ(parse_quantity(Measure::kSpend, "12.5").value(), yuan("12.50"));
  for (const char* wrong : {"", "1.5", "-", "5k", "99999999999999999999"}) {
    EXPECT_FALSE(parse_quantity(Measure::kRequests, wrong)) << wrong;
  }
  EXPECT_EQ(quantity_text(Measure::kTokens, Quantity::pico(7), "CNY"), "7 tokens");
  EXPECT_EQ(quantity_text(Measure::kSpend, yuan("1.5"), "CNY"), "1.50 CNY");
}

}  // namespace
}  // namespace feilun::ledger
