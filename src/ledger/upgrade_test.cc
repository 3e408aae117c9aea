#include "ledger/upgrade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "ledger/audit_log.h"
#include "ledger/invoicing_fixture.h"
#include "ledger/postgres_schema.h"
#include "ledger/sqlite_query.h"

namespace feilun::ledger {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

using StateRows = std::map<std::string, std::string>;

/// A connection that is none of feilun's by its name.
class Psql {
 public:
  explicit Psql(const std::string& schema) { (*this)("SET search_path = " + schema); }
  /// The first value. An error fails the test.
  std::string operator()(const std::string& sql) {
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_.get(), sql.c_str()),
                                                               &PQclear);
    EXPECT_STREQ(PQresultErrorMessage(result.get()), "");
    return PQntuples(result.get()) == 0 ? "" : PQgetvalue(result.get(), 0, 0);
  }

 private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_{PQconnectdb(TestPostgres::server().url().c_str()),
                                                           &PQfinish};
};

class OlderLedgerTest : public InvoicingTest {
 protected:
  Result<Upgraded> upgraded(bool dry_run) {
    const LedgerOptions of = options();
    return upgrade(directory_.path(), of.url, dry_run, of.postgres);
  }
  audit::Place place() {
    return {.directory = directory_.path(), .url = options().url, .schema = options().postgres.schema};
  }
  void execute(const std::string& sql) {
    ledger_.reset();
    if (!schema_.empty()) {
      Psql psql(schema_);
      psql(sql);
      return;
    }
    SqliteConnection connection;
    ASSERT_TRUE(connection.open((directory_.path() / "ledger.db").string(), std::chrono::seconds(1)));
    ASSERT_TRUE(connection.execute(sql.c_str()));
  }
  /// As a program left it that did not know the table of the state.
  void forget_table(char letter) {
    const char* blob = schema_.empty() ? "x'{:02x}'" : "'\\x{:02x}'";
    execute("DELETE FROM state WHERE substr(key, 1, 1) = " + fmt::format(fmt::runtime(blob), letter));
  }
  /// That knew neither free money nor what refunds gave back.
  void make_older() {
    forget_table('G');
    forget_table('g');
    execute(schema_.empty() ? "PRAGMA user_version=2" : "DELETE FROM migrations WHERE number > 1");
  }
  std::vector<std::string> events() {
    const auto acts =
        ledger_->read<std::vector<Act>>([&](State& state) { return acts_of(state, acme_, {}, 100); });
    std::vector<std::string> names;
    for (const Act& act : acts.value()) names.push_back(act.event());
    return names;
  }
  /// A program of the format before left out what moved money, and its ledger is right as it is.
  void expect_logged() {
    charge_and_refund();
    const auto all = events();
    EXPECT_THAT(all, IsSupersetOf({"credit.created", "refund.created", "invoice.created"}));
    forget_table('T');
    execute(schema_.empty() ? "PRAGMA user_version=3" : "DELETE FROM migrations WHERE number > 2");
    EXPECT_THAT(audit::verify(place())->findings(), IsEmpty());
    forget_table('G');
    EXPECT_THAT(audit::verify(place())->findings(), Not(IsEmpty())) << "that program knew these rows";
    EXPECT_EQ(upgraded(/*dry_run=*/false)->steps.size(), 1u);
    reopen();
    EXPECT_EQ(events(), all);
    expect_verified();
  }
  /// 3 yuan, of which one came back in the next month, when they were invoiced.
  void charge_and_refund() {
    ASSERT_TRUE(ledger_->credit("acme", yuan("10"), "CNY", "", ""));
    serve(red_, 5'000'000);
    go_to("2023-12-01T00:00:00Z");
    ASSERT_TRUE(ledger_->write<Refund>(
        [](Books& books) { return books.refund({.request_id = "r1", .amount = yuan("1")}); }));
    EXPECT_EQ(issue("acme", "2023-11").paid, yuan("3"));
  }
  /// All but what refunds gave back.
  StateRows known_rows() {
    const auto read = [](State& state) -> Result<StateRows> {
      StateRows rows;
      for (StateRow& row : TRY(state.store().scan("", "\xff", 100'000))) {
        if (!row.key.starts_with('g')) rows.emplace(std::move(row.key), std::move(row.value));
      }
      return rows;
    };
    return ledger_->read<StateRows>(read).value();
  }
  void expect_upgraded() {
    charge_and_refund();
    make_older();
    const auto refused = Ledger::open(options());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(refused.error().message, HasSubstr("feilun ledger upgrade"));
    EXPECT_EQ(upgraded(/*dry_run=*/true)->steps.size(), 2u);
    EXPECT_FALSE(Ledger::open(options()));
    EXPECT_EQ(upgraded(/*dry_run=*/false)->steps.size(), 2u);
    EXPECT_THAT(upgraded(/*dry_run=*/false)->steps, IsEmpty());
    reopen();
    EXPECT_EQ(free_of(acme_), yuan("7"));
    EXPECT_EQ(credit_note({.invoice = "2023-11-0001", .reason = "all"}).error().code, ErrorCode::kConflict);
    expect_verified();
  }
  /// A charge came back by a refund and by a credit note: earlier programs allowed it.
  void expect_followed() {
    charge_and_refund();
    serve(red_, 5'000'000);
    forget_table('g');
    reopen();
    const auto noted = credit_note({.invoice = "2023-11-0001", .reason = "all"});
    ASSERT_TRUE(noted) << noted.error().message;
    const StateRows lived = known_rows();
    make_older();
    const auto twice = Contains(HasSubstr("more of a line than was charged"));
    const auto older = audit::verify(place()).value();
    EXPECT_THAT(older.breaches, twice);
    EXPECT_THAT(older.problems, IsEmpty());
    const auto done = upgraded(/*dry_run=*/false);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_THAT(done->breaches, twice);
    const auto rebuilt = audit::rebuild(place(), /*dry_run=*/false);
    ASSERT_TRUE(rebuilt) << rebuilt.error().message;
    EXPECT_THAT(rebuilt->breaches, twice);
    EXPECT_THAT(rebuilt->differences, IsEmpty());
    reopen();
    EXPECT_EQ(known_rows(), lived);
    const auto now = audit::verify(place()).value();
    EXPECT_THAT(now.breaches, twice);
    EXPECT_THAT(now.problems, IsEmpty());
    EXPECT_FALSE(now.ok());
  }
};

TEST_F(OlderLedgerTest, ALedgerFromBeforeSomeRowsOfTheStateGetsThem) {
  expect_upgraded();
}

TEST_F(OlderLedgerTest, WhatMovedMoneyComesIntoTheAuditLog) {
  expect_logged();
}

TEST_F(OlderLedgerTest, AChargeThatCameBackTwiceIsFollowed) {
  expect_followed();
}

class OlderInPostgresTest : public OlderLedgerTest {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_POSTGRES();
    move_to_postgres();
    set_up_price();
    acme_ = make_organisation("acme", "Asia/Shanghai");
    red_ = make_project("red");
  }
};

TEST_F(OlderInPostgresTest, SoDoesOneInADatabase) {
  expect_upgraded();
}

TEST_F(OlderInPostgresTest, WhatMovedMoneyComesIntoTheAuditLog) {
  expect_logged();
}

TEST_F(OlderInPostgresTest, AChargeThatCameBackTwiceIsFollowed) {
  expect_followed();
}

TEST_F(OlderInPostgresTest, AnUpgradeThatFailsLeavesTheOlderLedgerAsItWas) {
  charge_and_refund();
  make_older();
  execute("ALTER TABLE migrations ADD CONSTRAINT older CHECK (number < 2)");
  Psql psql(schema_);
  const char* rows = "SELECT count(*) FROM state";
  const std::string before = psql(rows);
  EXPECT_FALSE(upgraded(/*dry_run=*/false));
  EXPECT_EQ(psql(rows), before);
  psql("ALTER TABLE migrations DROP CONSTRAINT older");
  EXPECT_TRUE(upgraded(/*dry_run=*/false));
  reopen();
  expect_verified();
}

TEST_F(OlderInPostgresTest, WhoeverWritesIsWaitedForAndFindsTheNewFormat) {
  charge_and_refund();
  make_older();
  Psql psql(schema_);
  const char* rows = "SELECT count(*) FROM state";
  const std::string before = psql(rows);
  psql("BEGIN");
  psql(fmt::format("SELECT pg_advisory_xact_lock({})", postgres_write_lock(schema_)));
  auto upgrading = std::async(std::launch::async, [&] { return upgraded(/*dry_run=*/false); });
  EXPECT_EQ(upgrading.wait_for(std::chrono::milliseconds(700)), std::future_status::timeout);
  EXPECT_EQ(psql(rows), before);
  psql("COMMIT");
  EXPECT_TRUE(upgrading.get());
  EXPECT_EQ(psql("SELECT max(number) FROM migrations"), "3");
}

}  // namespace
}  // namespace feilun::ledger
