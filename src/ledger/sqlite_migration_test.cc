#include "ledger/sqlite_migration.h"

#include <gmock/gmock.h>

#include "base/temporary_directory.h"
#include "ledger/sqlite_store.h"

namespace feilun::ledger {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;

class SqliteMigrationTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(connection_.open(path().string(), std::chrono::seconds(1))); }
  std::filesystem::path path() const { return directory_ / "ledger.db"; }
  int64_t number(const char* sql) {
    SqliteQuery query(connection_, sql);
    EXPECT_TRUE(query.next().value());
    return query.integer(0).value();
  }

  TemporaryDirectory directory_;
  SqliteConnection connection_;
};

TEST_F(SqliteMigrationTest, ADryRunNamesWhatIsMissingAndChangesNothing) {
  EXPECT_EQ(migrate(connection_, sqlite_steps(), true).value(), sqlite_steps());
  EXPECT_EQ(number("SELECT count(*) FROM sqlite_schema"), 0);
  EXPECT_EQ(migrate(connection_, sqlite_steps(), false).value(), sqlite_steps());
  EXPECT_THAT(migrate(connection_, sqlite_steps(), true).value(), IsEmpty());
}

TEST_F(SqliteMigrationTest, OldTablesTakeTheStepsTheyMissAllOrNone) {
  ASSERT_TRUE(migrate(connection_, sqlite_steps(), false));
  auto steps = sqlite_steps();
  steps.push_back({5, "a column", {"ALTER TABLE segments ADD COLUMN place TEXT"}});
  steps.push_back({6, "nonsense", {"CREATE TABLE extra (a INTEGER)", "ALTER TABLE nowhere ADD COLUMN b"}});
  SqliteConnection other;
  ASSERT_TRUE(other.open(path().string(), std::chrono::seconds(1)));
  EXPECT_FALSE(migrate(other, steps, false));
  EXPECT_EQ(number("PRAGMA user_version"), 4);
  EXPECT_EQ(number("SELECT count(*) FROM sqlite_schema WHERE name='extra'"), 0);
  steps.pop_back();
  EXPECT_THAT(migrate(connection_, steps, false).value(), ElementsAre(Field(&SchemaStep::what, "a column")));
  EXPECT_EQ(number("PRAGMA user_version"), 5);
  EXPECT_EQ(open_sqlite_store(path()).error().code, ErrorCode::kUnsupported) << "newer than this program";
}

TEST_F(SqliteMigrationTest, AnotherProgramsDatabaseIsLeftAlone) {
  ASSERT_TRUE(connection_.execute("CREATE TABLE mine (a INTEGER)"));
  EXPECT_EQ(migrate(connection_, sqlite_steps(), false).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(number("SELECT count(*) FROM sqlite_schema"), 1);
}

}  // namespace
}  // namespace feilun::ledger
