#include "ledger/upgrade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/invoicing_fixture.h"
#include "ledger/postgres_connection.h"
#include "ledger/sqlite_query.h"

namespace feilun::ledger {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OlderLedgerTest : public InvoicingTest {
 protected:
  Result<std::vector<SchemaStep>> upgraded(bool dry_run) {
    const LedgerOptions of = options();
    return upgrade(directory_.path(), of.url, dry_run, of.postgres);
  }
  /// As a program left it that knew neither free money nor what refunds gave back.
  void make_older() {
    ledger_.reset();
    if (schema_.empty()) {
      SqliteConnection older;
      ASSERT_TRUE(older.open((directory_.path() / "ledger.db").string(), std::chrono::seconds(1)));
      ASSERT_TRUE(older.execute("DELETE FROM state WHERE substr(key, 1, 1) IN (x'47', x'67')"));
      ASSERT_TRUE(older.execute("PRAGMA user_version=2"));
      return;
    }
    PostgresConnection older;
    ASSERT_TRUE(older.open(options().url, options().postgres));
    for (const char* sql : {"DELETE FROM state WHERE substr(key, 1, 1) IN ('\\x47', '\\x67')",
                            "DELETE FROM migrations WHERE number = 2"}) {
      ASSERT_TRUE(older.run(sql, {}, std::chrono::seconds(5)));
    }
  }
  void expect_upgraded() {
    ASSERT_TRUE(ledger_->credit("acme", yuan("10"), "CNY", "", ""));
    serve(red_, 5'000'000);
    go_to("2023-12-01T00:00:00Z");
    ASSERT_TRUE(ledger_->write<Refund>(
        [](Books& books) { return books.refund({.request_id = "r1", .amount = yuan("1")}); }));
    EXPECT_EQ(issue("acme", "2023-11").paid, yuan("3"));
    make_older();
    const auto refused = Ledger::open(options());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(refused.error().message, HasSubstr("feilun ledger upgrade"));
    EXPECT_EQ(upgraded(/*dry_run=*/true)->size(), 1u);
    EXPECT_FALSE(Ledger::open(options()));
    EXPECT_EQ(upgraded(/*dry_run=*/false)->size(), 1u);
    EXPECT_THAT(upgraded(/*dry_run=*/false).value(), IsEmpty());
    reopen();
    EXPECT_EQ(free_of(acme_), yuan("7"));
    EXPECT_EQ(credit_note({.invoice = "2023-11-0001", .reason = "all"}).error().code, ErrorCode::kConflict);
    expect_verified();
  }
};

TEST_F(OlderLedgerTest, ALedgerFromBeforeSomeRowsOfTheStateGetsThem) {
  expect_upgraded();
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

}  // namespace
}  // namespace feilun::ledger
