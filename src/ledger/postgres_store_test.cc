#include "ledger/postgres_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "ledger/postgres_connection.h"
#include "ledger/postgres_fixture.h"
#include "ledger/postgres_schema.h"

namespace feilun::ledger {
namespace {

using Access = Store::Access;
using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class PostgresStoreTest : public PostgresTest {};

TEST_F(PostgresStoreTest, ManyOpenAnEmptyDatabaseAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([this, i] {
      const auto store = open();
      ASSERT_NE(store, nullptr);
      EXPECT_TRUE(write_one(*store, std::to_string(i)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(written(*open()), SizeIs(6));
}

TEST_F(PostgresStoreTest, ALedgerLooksAtItsOwnSchemaOnly) {
  EXPECT_TRUE(write_one(*open(), "here"));
  options_.schema = server().new_schema();
  EXPECT_THAT(written(*open()), IsEmpty());
  options_.schema = "Quoted \" ' schema";
  EXPECT_TRUE(write_one(*open(), "there"));
  EXPECT_THAT(written(*open()), ElementsAre("there"));
}

TEST_F(PostgresStoreTest, ADryRunNamesWhatIsMissingAndChangesNothing) {
  const auto planned = postgres_migrations(server().url(), true, options_);
  ASSERT_TRUE(planned) << planned.error().message;
  EXPECT_THAT(*planned, ElementsAre(Field(&SchemaStep::number, 1), Field(&SchemaStep::number, 2),
                                    Field(&SchemaStep::number, 3)));
  EXPECT_THAT(planned->front().statements, Contains(HasSubstr("CREATE TABLE journal")));
  EXPECT_EQ(sql("SELECT count(*) FROM pg_namespace WHERE nspname = '" + options_.schema + "'"), "0");
  EXPECT_EQ(postgres_migrations(server().url(), false, options_).value(), *planned);
  EXPECT_THAT(postgres_migrations(server().url(), false, options_).value(), IsEmpty());
  EXPECT_THAT(postgres_migrations(server().url(), true, options_).value(), IsEmpty());
}

TEST_F(PostgresStoreTest, OldTablesTakeTheStepsTheyMissAllOrNone) {
  EXPECT_TRUE(write_one(*open(), "kept"));
  PostgresConnection connection;
  ASSERT_TRUE(connection.open(server().url(), options_));
  std::vector<SchemaStep> steps = postgres_steps();
  steps.push_back({4, "a column", {"ALTER TABLE segments ADD COLUMN place text"}});
  steps.push_back({5, "nonsense", {"CREATE TABLE extra (a int)", "ALTER TABLE nowhere ADD COLUMN b int"}});
  EXPECT_FALSE(migrate(connection, options_, steps, false));
  EXPECT_EQ(sql("SELECT max(number) FROM migrations"), "3");
  EXPECT_EQ(sql("SELECT count(*) FROM pg_attribute WHERE attname = 'place'"), "0");
  steps.pop_back();
  EXPECT_THAT(migrate(connection, options_, steps, false).value(),
              ElementsAre(Field(&SchemaStep::what, "a column")));
  EXPECT_EQ(sql("SELECT count(*) FROM journal"), "1");
}

TEST_F(PostgresStoreTest, NewerTablesAreLeftAlone) {
  const auto store = open();
  sql("INSERT INTO migrations VALUES (4, 'from the future', now())");
  const auto refused = open_postgres_store(server().url(), options_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(store->begin(Access::kWrite).error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(store->failure());
  EXPECT_EQ(postgres_migrations(server().url(), false, options_).error().code, ErrorCode::kUnsupported);
}

TEST_F(PostgresStoreTest, CommitsAreDurableWhateverTheRoleSays) {
  sql("ALTER ROLE feilun SET synchronous_commit = off");
  PostgresConnection connection;
  ASSERT_TRUE(connection.open(server().url(), options_));
  const auto shown = connection.run("SHOW synchronous_commit", {}, std::chrono::seconds(5));
  EXPECT_EQ(shown.value().bytes(0, 0), "on");
  sql("ALTER ROLE feilun RESET synchronous_commit");
}

TEST_F(PostgresStoreTest, AServerThatDoesNotSyncIsRefused) {
  sql("ALTER SYSTEM SET fsync = off");
  sql("SELECT pg_reload_conf()");
  while (sql("SHOW fsync") != "off") std::this_thread::sleep_for(milliseconds(5));
  const auto refused = open_postgres_store(server().url(), options_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("fsync"));
  sql("ALTER SYSTEM RESET fsync");
  sql("SELECT pg_reload_conf()");
  while (sql("SHOW fsync") != "on") std::this_thread::sleep_for(milliseconds(5));
}

TEST_F(PostgresStoreTest, AMalformedUrlIsRefusedWithoutShowingItsPassword) {
  for (const char* url : {"postgres://me:s3cret@host:port%zz/x", "mysql://me:s3cret@host/x"}) {
    const auto refused = open_postgres_store(url);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << url;
    EXPECT_THAT(refused.error().message, Not(HasSubstr("s3cret")));
  }
}

TEST_F(PostgresStoreTest, AServerThatIsNotThereIsUnavailable) {
  const auto refused = open_postgres_store("postgresql:///postgres?user=me&password=s3cret&host=/nowhere");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("s3cret")));
}

TEST_F(PostgresStoreTest, AServerThatDoesNotAnswerIsALostConnection) {
  PostgresConnection connection;
  ASSERT_TRUE(connection.open(server().url(), options_));
  const auto late = connection.run("SELECT pg_sleep(5)", {}, milliseconds(50));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(connection.is_open());
}

TEST_F(PostgresStoreTest, AnAnswerLargerThanEveryBufferArrives) {
  const auto store = open();
  ASSERT_TRUE(store->begin(Access::kWrite));
  std::vector<StateRow> rows;
  for (char c = 'a'; c <= 'z'; ++c) rows.push_back({std::string(1, c), std::string(1 << 20, c)});
  std::vector<StateChange> changes;
  for (const StateRow& row : rows) changes.push_back({row.key, row.value});
  ASSERT_TRUE(store->write(changes));
  EXPECT_THAT(store->scan("a", "zz", 100).value(), SizeIs(26));
  ASSERT_TRUE(store->commit());
}

TEST_F(PostgresStoreTest, AServerStartedAnewIsFoundAgain) {
  const auto store = open();
  ASSERT_TRUE(write_one(*store, "before"));
  server().restart();
  ASSERT_TRUE(write_one(*store, "after"));
  EXPECT_THAT(written(*store), ElementsAre("before", "after"));
}

TEST_F(PostgresStoreTest, WhileTheServerIsAwayNothingIsAFailure) {
  const auto store = open();
  ASSERT_TRUE(write_one(*store, "before"));
  server().stop(SIGINT);
  for (int i = 0; i < 3; ++i) {
    const auto refused = store->begin(Access::kWrite);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  }
  EXPECT_FALSE(store->failure());
  server().start();
  ASSERT_TRUE(write_one(*store, "after"));
  EXPECT_THAT(written(*store), ElementsAre("before", "after"));
}

TEST_F(PostgresStoreTest, AServerKilledBetweenAppendAndCommitForgetsTheGroup) {
  for (const bool in_good_order : {false, true}) {
    const auto store = open();
    const size_t before = written(*store).size();
    ASSERT_TRUE(store->begin(Access::kWrite));
    append_one(*store, "lost");
    ASSERT_TRUE(store->get("last"));  // the server has it
    in_good_order ? server().stop(SIGINT) : server().kill_all();
    std::thread later([] {
      std::this_thread::sleep_for(milliseconds(100));
      server().start();
    });
    const auto committed = store->commit();
    later.join();
    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code, ErrorCode::kUnavailable);
    EXPECT_FALSE(store->failure());
    ASSERT_TRUE(write_one(*store, "again"));
    EXPECT_THAT(written(*store), SizeIs(before + 1));
  }
}

TEST_F(PostgresStoreTest, WhatWasCommittedSurvivesAKill) {
  const auto store = open();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(write_one(*store, std::to_string(i)));
  server().kill_all();
  server().start();
  EXPECT_THAT(written(*store), SizeIs(20));
}

TEST_F(PostgresStoreTest, AnErrorInsideATransactionLeavesOnlyRollback) {
  const auto store = open();
  const auto other = open();
  ASSERT_TRUE(store->begin(Access::kWrite));
  append_one(*store, "lost");
  sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'");
  EXPECT_EQ(store->get("last").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(store->scan("", "z", 1).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(store->commit().error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(store->failure());
  ASSERT_TRUE(write_one(*store, "kept"));
  EXPECT_THAT(written(*other), ElementsAre("kept"));
}

TEST_F(PostgresStoreTest, ADatabaseThatForgotWhatItHadCommittedIsAFailure) {
  const auto store = open();
  ASSERT_TRUE(write_one(*store, "1"));
  ASSERT_TRUE(write_one(*store, "2"));
  sql("DELETE FROM journal WHERE sequence = 2");
  const auto refused = store->begin(Access::kWrite);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(store->failure());
}

TEST_F(PostgresStoreTest, ARowOfTheWrongFormIsAFailure) {
  const auto store = open();
  ASSERT_TRUE(write_one(*store, "1"));
  ASSERT_TRUE(write_one(*store, "2"));
  sql("UPDATE journal SET hash = 'short' WHERE sequence = 1");
  ASSERT_TRUE(store->begin(Access::kRead));
  EXPECT_EQ(store->entries(0, 10).error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(store->failure());
  store->rollback();
  EXPECT_FALSE(store->begin(Access::kRead));
}

TEST_F(PostgresStoreTest, SealingWhatIsNotInTheJournalIsAFailure) {
  const auto store = open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(write_one(*store, "entry"));
  sql("DELETE FROM journal WHERE sequence = 1");
  ASSERT_TRUE(store->begin(Access::kWrite));
  EXPECT_EQ(store->seal({.first = 1, .last = 2}).error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(store->failure());
  store->rollback();
}

}  // namespace
}  // namespace feilun::ledger
