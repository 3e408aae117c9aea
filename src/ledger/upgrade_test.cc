#include "ledger/upgrade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ledger/invoicing_fixture.h"
#include "ledger/sqlite_query.h"

namespace feilun::ledger {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

using UpgradeTest = InvoicingTest;

TEST_F(UpgradeTest, ALedgerFromBeforeSomeRowsOfTheStateGetsThem) {
  if (!schema_.empty()) GTEST_SKIP() << "made by hand in SQLite";
  ASSERT_TRUE(ledger_->credit("acme", yuan("10"), "CNY", "", ""));
  serve(red_, 5'000'000);
  go_to("2023-12-01T00:00:00Z");
  ASSERT_TRUE(ledger_->write<Refund>(
      [](Books& books) { return books.refund({.request_id = "r1", .amount = yuan("1")}); }));
  EXPECT_EQ(issue("acme", "2023-11").paid, yuan("3"));
  ledger_.reset();
  {
    SqliteConnection older;
    ASSERT_TRUE(older.open((directory_.path() / "ledger.db").string(), std::chrono::seconds(1)));
    ASSERT_TRUE(older.execute("DELETE FROM state WHERE substr(key, 1, 1) IN (x'47', x'62', x'67')"));
    ASSERT_TRUE(older.execute("PRAGMA user_version=2"));
  }
  const auto refused = Ledger::open(options());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("feilun ledger upgrade"));
  EXPECT_EQ(upgrade(directory_.path(), "", /*dry_run=*/true)->size(), 1u);
  EXPECT_FALSE(Ledger::open(options()));
  EXPECT_EQ(upgrade(directory_.path(), "", /*dry_run=*/false)->size(), 1u);
  EXPECT_THAT(upgrade(directory_.path(), "", /*dry_run=*/false).value(), IsEmpty());
  reopen();
  EXPECT_EQ(free_of(acme_), yuan("7"));
  EXPECT_EQ(credit_note({.invoice = "2023-11-0001", .reason = "all"}).error().code, ErrorCode::kConflict);
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
