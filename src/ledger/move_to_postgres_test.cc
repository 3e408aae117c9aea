#include "ledger/move_to_postgres.h"

#include <gmock/gmock.h>
#include <sqlite3.h>

#include "ledger/archive.h"
#include "ledger/audit_export.h"
#include "ledger/ledger_fixture.h"
#include "ledger/postgres_connection.h"
#include "ledger/postgres_fixture.h"
#include "ledger/sealing.h"
#include "ledger/serving_lock.h"
#include "ledger/sqlite_store.h"
#include "ledger/upgrade.h"

namespace feilun::ledger {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A ledger in SQLite with an open request, sealed entries and archived ones.
class MoveTest : public PostgresTest {
 protected:
  void SetUp() override {
    PostgresTest::SetUp();
    if (IsSkipped()) return;
    const auto ledger = Ledger::open({.directory = directory_.path(), .serving = true}).value();
    PriceVersion price{.offering = "nano", .currency = "CNY"};
    price.rows = pricing::flat_rows({.input_fresh = yuan("0.1"), .output = yuan("0.2")});
    ASSERT_TRUE(ledger->set_price(price));
    ASSERT_TRUE(ledger->credit("default", yuan("100"), "CNY", "", "once"));
    const std::string project = ledger->find_project("default").value().id;
    for (int i = 0; i < 10; ++i) {
      const std::string id = "req_" + std::to_string(i);
      ASSERT_TRUE(
          ledger->hold_now({.request_id = id, .project_id = project, .offering = "nano", .input_tokens = 3}));
      if (i < 9) ASSERT_TRUE(ledger->settle_now(id, {.input_fresh = 3}, Outcome::kCompleted));
    }
    seal(8);
    const auto store = open_sqlite_store(directory_ / "ledger.db").value();
    ASSERT_EQ(archive_segments(*store, directory_ / "archive", WallTime::max()).value().segments, 3);
    seal(4);
  }
  void seal(int64_t kept) {
    const auto store = open_sqlite_store(directory_ / "ledger.db").value();
    while (seal_oldest(*store, {.run = 4, .kept = kept}).value()) {
    }
  }
  Result<Moved> move() { return move_to_postgres(directory_.path(), server().url(), options_); }
  std::string exported(const audit::Place& place) {
    std::string all;
    EXPECT_TRUE(audit::export_journal(place, audit::ExportFormat::kJsonLines, {},
                                      [&](std::string_view text) -> Result<> {
                                        all += text;
                                        return {};
                                      }));
    return all;
  }
  audit::Place there() {
    return {.directory = directory_.path(), .url = server().url(), .schema = options_.schema};
  }

  TemporaryDirectory directory_;
};

TEST_F(MoveTest, TheSameLedgerIsThereAndGoesOn) {
  const std::string before = exported({.directory = directory_.path()});
  const auto moved = move();
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_EQ(moved->segments, std::stoll(sql("SELECT count(*) FROM segments")));
  EXPECT_EQ(moved->rows, std::stoll(sql("SELECT count(*) FROM state")));
  EXPECT_EQ(exported(there()), before);
  EXPECT_FALSE(fs::exists(directory_ / "ledger.db"));
  EXPECT_TRUE(fs::exists(directory_ / "ledger.db.moved"));
  {
    const auto ledger = Ledger::open(
        {.directory = directory_.path(), .serving = true, .url = server().url(), .postgres = options_});
    ASSERT_TRUE(ledger) << ledger.error().message;
    EXPECT_EQ((*ledger)->balance("default").value().posted, yuan("97.3"));
    EXPECT_TRUE((*ledger)->credit("default", yuan("100"), "CNY", "", "once"));
    EXPECT_EQ((*ledger)->balance("default").value().posted, yuan("97.3")) << "credited once";
  }
  EXPECT_THAT(audit::verify(there()).value().findings(), IsEmpty());
}

TEST_F(MoveTest, SegmentsMayLieInAnotherArchive) {
  const TemporaryDirectory elsewhere;
  fs::rename(directory_ / "archive", elsewhere / "archive");
  EXPECT_EQ(move().error().code, ErrorCode::kNotFound);
  const auto moved = move_to_postgres(directory_.path(), server().url(), options_, elsewhere / "archive");
  EXPECT_TRUE(moved) << moved.error().message;
}

TEST_F(MoveTest, ALedgerThatIsServedIsNotMoved) {
  const ServingLock lock = ServingLock::take(directory_.path()).value();
  EXPECT_EQ(move().error().code, ErrorCode::kConflict);
  EXPECT_TRUE(fs::exists(directory_ / "ledger.db"));
}

TEST_F(MoveTest, AnotherLedgerThereIsLeftAlone) {
  EXPECT_TRUE(write_one(*open(), "kept"));
  EXPECT_EQ(move().error().code, ErrorCode::kConflict);
  EXPECT_EQ(sql("SELECT count(*) FROM journal"), "1");
  EXPECT_TRUE(fs::exists(directory_ / "ledger.db"));
}

TEST_F(MoveTest, AMoveThatWasEndedGoesOn) {
  // A reader keeps the state's table, so the move waits there for its lock until it gives up.
  options_.lock_wait = std::chrono::milliseconds(1);
  open();
  PostgresConnection reader;
  ASSERT_TRUE(reader.open(server().url(), options_));
  ASSERT_TRUE(reader.run("BEGIN", {}, std::chrono::seconds(9)));
  ASSERT_TRUE(reader.run("LOCK TABLE state IN ACCESS SHARE MODE", {}, std::chrono::seconds(9)));
  EXPECT_FALSE(move());
  EXPECT_TRUE(fs::exists(directory_ / "ledger.db"));
  EXPECT_EQ(open_postgres_store(server().url(), options_).error().code, ErrorCode::kUnsupported)
      << "what is half there is nobody's ledger";
  // What was sealed meanwhile lies there as entries already.
  seal(1);
  ASSERT_TRUE(reader.run("ROLLBACK", {}, std::chrono::seconds(9)));
  options_.lock_wait = std::chrono::minutes(1);
  const auto moved = move();
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_THAT(audit::verify(there()).value().findings(), IsEmpty());
}

TEST_F(MoveTest, AHalfMovedLedgerThatChangedSinceIsRefused) {
  open();
  sql("INSERT INTO migrations VALUES (1000000000, 'a move from SQLite of something else', now())");
  const auto refused = move();
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_THAT(refused.error().message, HasSubstr(options_.schema));
}

TEST_F(MoveTest, ADamagedLedgerStaysWhereItIs) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((directory_ / "ledger.db").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(
      sqlite3_exec(db, "UPDATE state SET value=x'00' WHERE substr(key,1,1)=x'55'", nullptr, nullptr, nullptr),
      SQLITE_OK);
  sqlite3_close(db);
  EXPECT_EQ(move().error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(fs::exists(directory_ / "ledger.db"));
  EXPECT_FALSE(open_postgres_store(server().url(), options_));
}

TEST(UpgradeTest, ALedgerOfThisFormatNeedsNothing) {
  const TemporaryDirectory directory;
  EXPECT_EQ(upgrade(directory.path(), "", true).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(open_sqlite_store(directory / "ledger.db"));
  EXPECT_THAT(upgrade(directory.path(), "", true).value().steps, IsEmpty());
  EXPECT_THAT(upgrade(directory.path(), "", false).value().steps, IsEmpty());
}

}  // namespace
}  // namespace feilun::ledger
