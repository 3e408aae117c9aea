#include <gtest/gtest.h>
#include <sqlite3.h>

#include <future>

#include "ledger/embedded_ledger.h"
#include "ledger/ledger_fixture.h"
#include "ledger/sqlite_query.h"
#include "ledger/sqlite_store.h"

// Another process that keeps the database's write lock for longer than the ledger waits for it.

namespace feilun::ledger {
namespace {

constexpr auto kShortWait = std::chrono::milliseconds(1);

class Locker {
 public:
  explicit Locker(const std::filesystem::path& path) { sqlite3_open(path.c_str(), &db_); }
  Locker(const Locker&) = delete;
  Locker& operator=(const Locker&) = delete;
  ~Locker() { sqlite3_close(db_); }
  bool run(const char* sql) { return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK; }

 private:
  sqlite3* db_ = nullptr;
};

class LockedLedgerTest : public LedgerTest {
 protected:
  void SetUp() override {
    set_up_price();
    credit("1.00");
    ledger_.reset();
    const auto path = directory_.path() / "ledger.db";
    auto writer = std::make_unique<Writer>(open_sqlite_store(path, kShortWait).value(),
                                           Anchor::open(directory_.path() / "ledger.anchor").value(), clock_,
                                           std::chrono::microseconds(0));
    auto reader = open_sqlite_store(path, kShortWait).value();
    ledger_ = std::make_unique<EmbeddedLedger>(options(), ServingLock(), std::move(reader), std::move(writer),
                                               nullptr, [] {});
  }
  Locker locker() { return Locker(directory_.path() / "ledger.db"); }
};

TEST_F(LockedLedgerTest, EndsOfRequestsWaitForTheLockAndKeepTheirOrder) {
  ASSERT_TRUE(ledger_->hold_now(request("req_1")));
  ASSERT_TRUE(ledger_->hold_now(request("req_2")));
  Locker other = locker();
  ASSERT_TRUE(other.run("BEGIN IMMEDIATE"));
  std::vector<std::string> ends;  // written on the writer's thread, read after flush
  ledger_->settle("req_1", {.input_fresh = 100, .output = 5}, Outcome::kCompleted,
                  [&](auto settled) { ends.push_back(settled ? "settled" : settled.error().message); });
  ledger_->release("req_2", Outcome::kCancelled,
                   [&](auto released) { ends.push_back(released ? "released" : released.error().message); });
  ledger_->release("req_1", Outcome::kCancelled,
                   [&](auto again) { ends.push_back(again ? "twice" : "refused"); });
  // Each of these is refused after the wait for the lock, with the ends still queued before it.
  EXPECT_EQ(ledger_->hold_now(request("req_3")).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(ledger_->hold_now(request("req_4")).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(ledger_->healthy());
  ASSERT_TRUE(other.run("ROLLBACK"));
  while (!ledger_->flush()) {
  }
  EXPECT_EQ(ends, (std::vector<std::string>{"settled", "released", "refused"}));
  EXPECT_TRUE(balance().pending.is_zero());
  EXPECT_EQ(balance().posted, yuan("1.00") - Money::pico(100 * 300'000 + 5 * 600'000));
  EXPECT_TRUE(ledger_->hold_now(request("req_5")));
  expect_verified();
}

TEST_F(LockedLedgerTest, StopDoesNotWaitForTheLockForever) {
  ASSERT_TRUE(ledger_->hold_now(request("req_1")));
  Locker other = locker();
  ASSERT_TRUE(other.run("BEGIN IMMEDIATE"));
  std::promise<Result<Settlement>> promise;
  auto settled = promise.get_future();
  ledger_->settle("req_1", {.output = 5}, Outcome::kCompleted,
                  [&](Result<Settlement> done) { promise.set_value(std::move(done)); });
  ledger_.reset();
  EXPECT_EQ(settled.get().error().code, ErrorCode::kUnavailable);
  ASSERT_TRUE(other.run("ROLLBACK"));
}

TEST(SqliteQuery, AStatementThatCannotBePreparedBecauseOfALockIsAnError) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "some.db";
  Locker other(path);
  ASSERT_TRUE(other.run("CREATE TABLE t (x)"));
  ASSERT_TRUE(other.run("BEGIN EXCLUSIVE"));
  SqliteConnection connection;
  ASSERT_TRUE(connection.open(path.string(), kShortWait));
  const auto locked = SqliteQuery(connection, "SELECT x FROM t").next();
  ASSERT_FALSE(locked);
  EXPECT_EQ(locked.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(connection.failure());
  ASSERT_TRUE(other.run("ROLLBACK"));
  EXPECT_FALSE(SqliteQuery(connection, "SELECT x FROM t").next().value());
}

}  // namespace
}  // namespace feilun::ledger
