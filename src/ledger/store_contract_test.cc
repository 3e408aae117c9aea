#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "base/temporary_directory.h"
#include "ledger/postgres_store.h"
#include "ledger/sqlite_store.h"
#include "ledger/store.h"
#include "ledger/test_postgres.h"

// What every Store promises, asked of each kind.

namespace feilun::ledger {

bool operator==(const StateRow& a, const StateRow& b) {
  return a.key == b.key && a.value == b.value;
}

namespace {

using Access = Store::Access;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr milliseconds kPatient = std::chrono::minutes(1);
constexpr milliseconds kHasty{100};

enum class Kind { kSqlite, kPostgres };

class StoreContract : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::kPostgres) {
      SKIP_WITHOUT_POSTGRES();
      schema_ = TestPostgres::server().new_schema();
    }
    store_ = open();
  }

  std::unique_ptr<Store> open(milliseconds lock_wait = kPatient) {
    auto opened =
        GetParam() == Kind::kSqlite
            ? open_sqlite_store(directory_ / "ledger.db", lock_wait)
            : open_postgres_store(TestPostgres::server().url(), {.schema = schema_, .lock_wait = lock_wait});
    if (!opened) ADD_FAILURE() << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }

  TemporaryDirectory directory_;
  std::string schema_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, ::testing::Values(Kind::kSqlite, Kind::kPostgres),
                         [](const auto& info) {
                           return info.param == Kind::kSqlite ? "Sqlite" : "Postgres";
                         });

WallTime second(int64_t n) {
  return WallTime(std::chrono::seconds(n));
}

std::vector<JournalRow> entries_after(ChainHead head, int count) {
  std::vector<JournalRow> rows;
  for (int i = 0; i < count; ++i) {
    using namespace std::string_literals;
    rows.push_back(chain(head, second(head.sequence), "payload\0\xff"s + std::to_string(head.sequence + 1)));
    head = {rows.back().sequence, rows.back().hash};
  }
  return rows;
}

void begin(Store& store, Access access) {
  const auto begun = store.begin(access);
  ASSERT_TRUE(begun) << begun.error().message;
}

void commit(Store& store) {
  const auto committed = store.commit();
  ASSERT_TRUE(committed) << committed.error().message;
}

/// Appends in a transaction of its own.
std::vector<JournalRow> append(Store& store, int count) {
  begin(store, Access::kWrite);
  auto rows = entries_after(store.head().value(), count);
  EXPECT_TRUE(store.append(rows));
  commit(store);
  return rows;
}

void put(Store& store, const std::vector<StateChange>& changes) {
  begin(store, Access::kWrite);
  EXPECT_TRUE(store.write(changes));
  commit(store);
}

ChainHead head_of(Store& store) {
  begin(store, Access::kRead);
  const ChainHead head = store.head().value();
  commit(store);
  return head;
}

std::optional<std::string> value_of(Store& store, std::string_view key) {
  begin(store, Access::kRead);
  auto value = store.get(key).value();
  commit(store);
  return value;
}

TEST_P(StoreContract, AnEmptyLedgerHasNothing) {
  begin(*store_, Access::kRead);
  EXPECT_EQ(store_->head().value(), ChainHead());
  EXPECT_THAT(store_->entries(0, 10).value(), IsEmpty());
  EXPECT_THAT(store_->segments().value(), IsEmpty());
  EXPECT_EQ(store_->get("a").value(), std::nullopt);
  EXPECT_THAT(store_->scan("", "\xff", 10).value(), IsEmpty());
  commit(*store_);
}

TEST_P(StoreContract, EntriesComeBackByteForByte) {
  const auto rows = append(*store_, 5);
  begin(*store_, Access::kRead);
  EXPECT_EQ(store_->head().value(), (ChainHead{5, rows[4].hash}));
  const auto read = store_->entries(1, 3).value();
  ASSERT_THAT(read, SizeIs(3));
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].sequence, rows[i + 1].sequence);
    EXPECT_EQ(read[i].time, rows[i + 1].time);
    EXPECT_EQ(read[i].payload, rows[i + 1].payload);
    EXPECT_EQ(read[i].hash, rows[i + 1].hash);
  }
  EXPECT_THAT(store_->entries(5, 10).value(), IsEmpty());
  commit(*store_);
}

TEST_P(StoreContract, TimesBefore1970ComeBack) {
  begin(*store_, Access::kWrite);
  const JournalRow row = chain({}, second(-7), "");
  ASSERT_TRUE(store_->append({&row, 1}));
  const auto read = store_->entries(0, 1).value();
  ASSERT_THAT(read, SizeIs(1));
  EXPECT_EQ(read[0].time, second(-7));
  EXPECT_EQ(read[0].payload, "");
  commit(*store_);
}

TEST_P(StoreContract, ATransactionSeesWhatItWroteBeforeItCommits) {
  begin(*store_, Access::kWrite);
  const auto rows = entries_after({}, 2);
  ASSERT_TRUE(store_->append(rows));
  ASSERT_TRUE(store_->write(std::vector<StateChange>{{"a", "1"}}));
  EXPECT_EQ(store_->head().value().sequence, 2);
  EXPECT_THAT(store_->entries(0, 10).value(), SizeIs(2));
  EXPECT_EQ(store_->get("a").value(), "1");
  ASSERT_TRUE(store_->write(std::vector<StateChange>{{"a", std::nullopt}}));
  EXPECT_EQ(store_->get("a").value(), std::nullopt);
  commit(*store_);
}

TEST_P(StoreContract, WhatIsRolledBackNeverWas) {
  append(*store_, 1);
  put(*store_, {{"a", "1"}});
  begin(*store_, Access::kWrite);
  ASSERT_TRUE(store_->append(entries_after(store_->head().value(), 3)));
  ASSERT_TRUE(store_->write(std::vector<StateChange>{{"a", "2"}, {"b", "2", /*is_new=*/true}}));
  store_->rollback();
  EXPECT_EQ(head_of(*store_).sequence, 1);
  EXPECT_EQ(value_of(*store_, "a"), "1");
  EXPECT_EQ(value_of(*store_, "b"), std::nullopt);
  append(*store_, 1);
  EXPECT_EQ(head_of(*store_).sequence, 2);
}

TEST_P(StoreContract, WhatWasCommittedIsThereForTheNextToOpen) {
  const auto rows = append(*store_, 3);
  put(*store_, {{"a", "1"}});
  store_.reset();
  store_ = open();
  EXPECT_EQ(head_of(*store_), (ChainHead{3, rows[2].hash}));
  EXPECT_EQ(value_of(*store_, "a"), "1");
}

TEST_P(StoreContract, AGroupOfManyRowsIsWrittenAtOnce) {
  begin(*store_, Access::kWrite);
  ASSERT_TRUE(store_->append(entries_after({}, 5000)));
  std::vector<std::string> keys;
  for (int i = 10'000; i < 15'000; ++i) keys.push_back(std::to_string(i));
  const std::string value(200, 'x');
  std::vector<StateChange> changes;
  for (const std::string& key : keys) changes.push_back({key, value, /*is_new=*/key.back() % 2 == 0});
  ASSERT_TRUE(store_->write(changes));
  for (StateChange& change : changes) change.value = std::nullopt;
  changes.resize(2500);
  ASSERT_TRUE(store_->write(changes));
  commit(*store_);
  begin(*store_, Access::kRead);
  EXPECT_EQ(store_->head().value().sequence, 5000);
  EXPECT_THAT(store_->scan("", "9", 10'000).value(), SizeIs(2500));
  commit(*store_);
}

TEST_P(StoreContract, RowsArePutReplacedAndErased) {
  put(*store_, {{"a", "1"}, {"b", ""}, {"c", "3"}});
  put(*store_, {{"a", "10"}, {"absent", std::nullopt}, {"c", std::nullopt}, {"d", "4"}});
  EXPECT_EQ(value_of(*store_, "a"), "10");
  EXPECT_EQ(value_of(*store_, "b"), "");
  EXPECT_EQ(value_of(*store_, "c"), std::nullopt);
  EXPECT_EQ(value_of(*store_, "d"), "4");
}

TEST_P(StoreContract, RowsAreInTheOrderOfTheirBytes) {
  using namespace std::string_literals;
  put(*store_, {{"\0"s, "0"},
                {"\0\0"s, "1"},
                {"a"s, "2"},
                {"a\0"s, "3"},
                {"a\xff"s, "4"},
                {"b"s, "5"},
                {"\x80"s, "6"},
                {"\xff"s, "7"},
                {"\xff\xff"s, "8"}});
  begin(*store_, Access::kRead);
  std::string order;
  for (const StateRow& row : store_->scan(""s, "\xff\xff\xff"s, 100).value()) order += row.value;
  EXPECT_EQ(order, "012345678");
  EXPECT_THAT(store_->scan("a"s, "a\xff"s, 100).value(),
              ElementsAre(StateRow{"a", "2"}, StateRow{"a\0"s, "3"}));
  EXPECT_THAT(store_->scan("a\0\0"s, "\xff"s, 2).value(),
              ElementsAre(StateRow{"a\xff", "4"}, StateRow{"b", "5"}));
  EXPECT_THAT(store_->scan("b"s, "b"s, 2).value(), IsEmpty());
  EXPECT_THAT(store_->scan("b"s, "a"s, 2).value(), IsEmpty());
  commit(*store_);
}

TEST_P(StoreContract, OneQuestionForManyFindsThoseThatAreThere) {
  using namespace std::string_literals;
  put(*store_, {{"\0\xff"s, "0"}, {"a", "1"}, {"b", "2"}});
  begin(*store_, Access::kRead);
  EXPECT_THAT(store_->get_all(std::vector{"b"s, "nowhere"s, "\0\xff"s}).value(),
              UnorderedElementsAre(StateRow{"b", "2"}, StateRow{"\0\xff"s, "0"}));
  EXPECT_THAT(store_->get_all({}).value(), IsEmpty());
  commit(*store_);
}

TEST_P(StoreContract, ASealedRunLeavesTheJournalAndStaysInOrder) {
  const auto rows = append(*store_, 10);
  const auto segment = [&rows](int64_t first, int64_t last, std::string bytes) {
    return Segment{first, last, rows[static_cast<size_t>(last - 1)].hash, std::move(bytes)};
  };
  using namespace std::string_literals;
  begin(*store_, Access::kWrite);
  ASSERT_TRUE(store_->seal(segment(1, 4, "first\0\xff"s)));
  commit(*store_);
  begin(*store_, Access::kWrite);
  ASSERT_TRUE(store_->seal(segment(5, 9, "second")));
  commit(*store_);

  begin(*store_, Access::kRead);
  EXPECT_EQ(store_->head().value(), (ChainHead{10, rows[9].hash}));
  const auto left = store_->entries(0, 100).value();
  ASSERT_THAT(left, SizeIs(1));
  EXPECT_EQ(left[0].sequence, 10);
  const auto segments = store_->segments().value();
  ASSERT_THAT(segments, SizeIs(2));
  EXPECT_EQ(segments[0].first, 1);
  EXPECT_EQ(segments[0].last, 4);
  EXPECT_EQ(segments[0].hash, rows[3].hash);
  EXPECT_EQ(segments[0].bytes, "");
  EXPECT_EQ(segments[1].first, 5);
  EXPECT_EQ(store_->segment_at(0).value(), std::nullopt);
  EXPECT_EQ(store_->segment_at(4).value().value().last, 4);
  EXPECT_EQ(store_->segment_at(5).value().value().hash, rows[8].hash);
  EXPECT_EQ(store_->segment_at(INT64_MAX).value().value().first, 5);
  EXPECT_EQ(store_->segment_bytes(1).value(), "first\0\xff"s);
  EXPECT_EQ(store_->segment_bytes(5).value(), "second");
  commit(*store_);
}

TEST_P(StoreContract, AnArchivedSegmentKeepsItsLine) {
  const auto rows = append(*store_, 3);
  begin(*store_, Access::kWrite);
  ASSERT_TRUE(store_->seal({1, 2, rows[1].hash, "bytes"}));
  ASSERT_TRUE(store_->archive_segment(1));
  commit(*store_);
  begin(*store_, Access::kRead);
  EXPECT_THAT(store_->segments().value(), SizeIs(1));
  EXPECT_EQ(store_->segment_bytes(1).error().code, ErrorCode::kNotFound);
  commit(*store_);
  EXPECT_FALSE(store_->failure());
}

TEST_P(StoreContract, ASegmentThatIsMissingIsAFailure) {
  begin(*store_, Access::kRead);
  EXPECT_EQ(store_->segment_bytes(77).error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(store_->failure());
  store_->rollback();
}

TEST_P(StoreContract, AReaderSeesOneMoment) {
  append(*store_, 1);
  put(*store_, {{"a", "1"}});
  const auto reader = open();
  begin(*reader, Access::kRead);
  EXPECT_EQ(reader->head().value().sequence, 1);
  append(*store_, 1);
  put(*store_, {{"a", "2"}, {"b", "2"}});
  EXPECT_EQ(reader->head().value().sequence, 1);
  EXPECT_THAT(reader->entries(0, 10).value(), SizeIs(1));
  EXPECT_EQ(reader->get("a").value(), "1");
  EXPECT_EQ(reader->get("b").value(), std::nullopt);
  commit(*reader);
  EXPECT_EQ(head_of(*reader).sequence, 2);
  EXPECT_EQ(value_of(*reader, "a"), "2");
}

TEST_P(StoreContract, AReaderAndAWriterDoNotWaitForEachOther) {
  const auto other = open(kHasty);
  begin(*store_, Access::kWrite);
  ASSERT_TRUE(store_->append(entries_after({}, 1)));
  ASSERT_TRUE(store_->write(std::vector<StateChange>{{"a", "1"}}));
  EXPECT_EQ(head_of(*other).sequence, 0);
  EXPECT_EQ(value_of(*other, "a"), std::nullopt);
  commit(*store_);
  EXPECT_EQ(head_of(*other).sequence, 1);
}

TEST_P(StoreContract, ALockHeldForTooLongIsUnavailableAndNoFailure) {
  const auto other = open(kHasty);
  begin(*store_, Access::kWrite);
  const auto refused = other->begin(Access::kWrite);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(other->failure());
  ASSERT_TRUE(store_->append(entries_after({}, 1)));
  commit(*store_);
  append(*other, 1);
  EXPECT_EQ(head_of(*store_).sequence, 2);
}

TEST_P(StoreContract, WritersTakeTurns) {
  const auto count_to = [](Store& store) {
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(store.begin(Access::kWrite));
      const int counted = std::stoi(store.get("count").value().value_or("0"));
      ASSERT_TRUE(store.append(entries_after(store.head().value(), 2)));
      ASSERT_TRUE(store.write(std::vector<StateChange>{{"count", std::to_string(counted + 1)}}));
      ASSERT_TRUE(store.commit());
    }
  };
  const auto other = open();
  std::thread thread([&] { count_to(*other); });
  count_to(*store_);
  thread.join();
  EXPECT_EQ(value_of(*store_, "count"), "100");
  EXPECT_EQ(head_of(*store_).sequence, 200);
}

TEST_P(StoreContract, AWriterSeesWhatTheOneBeforeCommitted) {
  const auto other = open();
  begin(*store_, Access::kWrite);
  std::thread thread([&] { append(*other, 1); });  // waits for its turn
  std::this_thread::sleep_for(milliseconds(20));
  ASSERT_TRUE(store_->append(entries_after({}, 3)));
  commit(*store_);
  thread.join();
  EXPECT_EQ(head_of(*store_).sequence, 4);
}

}  // namespace
}  // namespace feilun::ledger
