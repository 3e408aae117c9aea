#include "ledger/segment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/temporary_directory.h"
#include "ledger/journal_walk.h"
#include "ledger/segment_frame.h"
#include "ledger/sqlite_store.h"

namespace feilun::ledger {
namespace {

using ::testing::SizeIs;

/// Entries as the road of a request writes them, with ids that come again.
class Journal {
 public:
  void append(std::string payload) {
    clock_ += static_cast<int64_t>(random_() % 20'000);
    rows_.push_back(chain(head(), WallTime(std::chrono::microseconds(clock_)), std::move(payload)));
  }
  void append_request() {
    const std::string id = new_id("req");
    const std::string& project = projects_[random_() % projects_.size()];
    Payload hold(EntryKind::kHold);
    hold.text(id).text(project).text("deepseek-v3").number(static_cast<int64_t>(random_() % 4000));
    const Money held = Money::pico(static_cast<int64_t>(random_() % 1'000'000'000));
    hold.postings({{"wallet:" + project, "CNY", -held}, {"hold:" + project, "CNY", held}});
    append(hold.take());
    Payload settle(EntryKind::kSettle);
    settle.text(id).byte(0).usage({.input_fresh = 12, .output = 34});
    settle.postings({{"hold:" + project, "CNY", -held}, {"revenue", "CNY", held}});
    append(settle.take());
  }
  ChainHead head() const {
    return rows_.empty() ? before_ : ChainHead{rows_.back().sequence, rows_.back().hash};
  }
  const ChainHead& before() const { return before_; }
  std::vector<JournalRow>& rows() { return rows_; }

  Segment seal() const {
    SegmentWriter writer(before_);
    for (const JournalRow& row : rows_) EXPECT_TRUE(writer.add(row));
    return writer.finish();
  }

 private:
  std::string new_id(const char* prefix) {
    std::string id = std::string(prefix) + "_01JD5";
    for (int i = 0; i < 21; ++i) id += "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[random_() % 32];
    return id;
  }

  std::mt19937_64 random_{1};
  int64_t clock_ = 1'700'000'000'000'000;
  ChainHead before_{41, blake2b_256("the entry before")};
  std::vector<JournalRow> rows_;
  std::vector<std::string> projects_ = {new_id("proj"), new_id("proj"), new_id("proj")};
};

Result<std::vector<JournalRow>> read_all(Segment segment) {
  const SegmentReader reader = TRY(SegmentReader::open(std::move(segment)));
  std::vector<JournalRow> rows;
  for (const SegmentReader::Frame& frame : reader.frames()) {
    for (JournalRow& row : TRY(reader.read(frame))) rows.push_back(std::move(row));
  }
  return rows;
}

void expect_equal(const std::vector<JournalRow>& read, const std::vector<JournalRow>& rows) {
  ASSERT_EQ(read.size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(read[i].sequence, rows[i].sequence);
    ASSERT_EQ(read[i].time, rows[i].time);
    ASSERT_EQ(read[i].payload, rows[i].payload);
    ASSERT_EQ(read[i].hash, rows[i].hash);
  }
}

TEST(SegmentTest, ARunComesBackWithItsHashes) {
  Journal journal;
  for (int i = 0; i < 9'000; ++i) journal.append_request();
  const Segment segment = journal.seal();
  EXPECT_EQ(segment.first, 42);
  EXPECT_EQ(segment.last, 42 + 18'000 - 1);
  EXPECT_EQ(segment.hash, journal.rows().back().hash);
  const auto read = read_all(segment);
  ASSERT_TRUE(read) << read.error().message;
  expect_equal(*read, journal.rows());
}

TEST(SegmentTest, AnyPayloadComesBack) {
  using namespace std::string_literals;
  Journal journal;
  const std::string id = "01JD5ABCDEFGHJKMNPQRSTVWXY";
  for (const std::string& payload :
       {""s, "_"s, "\0"s, "__"s, "x_"s, "x__"s + id, "x_"s + id + "_", "x_"s + id, "_"s + id, "x_" + id + id,
        "x_" + id.substr(1), "x_" + id + "_" + id, "x_01jd5abcdefghjkmnpqrstvwxy"s, std::string(300, '_'),
        "x_ZZZZZZZZZZZZZZZZZZZZZZZZZZ_00000000000000000000000000"s, std::string(100'000, '\xff')}) {
    journal.append(payload);
  }
  std::mt19937_64 random(2);
  for (int i = 0; i < 500; ++i) {
    std::string payload(random() % 200, '\0');
    for (char& byte : payload) byte = static_cast<char>(random() % 7 == 0 ? '_' : random());
    journal.append(payload);
  }
  const auto read = read_all(journal.seal());
  ASSERT_TRUE(read) << read.error().message;
  expect_equal(*read, journal.rows());
}

TEST(SegmentTest, TimesMayStepBackAndLieFarAway) {
  Journal journal;
  std::vector<JournalRow>& rows = journal.rows();
  const int64_t far = (int64_t{1} << 60) - 1;
  for (const int64_t time : {int64_t{5}, int64_t{3}, -far, far, int64_t{0}}) {
    rows.push_back(chain(journal.head(), WallTime(std::chrono::microseconds(time)), "entry"));
  }
  const Segment segment = journal.seal();
  expect_equal(read_all(segment).value(), rows);
  const auto reader = SegmentReader::open(segment);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->frames()[0].earliest, WallTime(std::chrono::microseconds(-far)));
  EXPECT_EQ(reader->frames()[0].latest, WallTime(std::chrono::microseconds(far)));
}

TEST(SegmentTest, AnEntryIsFoundByItsSequence) {
  Journal journal;
  for (int i = 0; i < 9'000; ++i) journal.append_request();
  const Segment segment = journal.seal();
  const auto reader = SegmentReader::open(segment);
  ASSERT_TRUE(reader);
  EXPECT_THAT(reader->frames(), SizeIs(2));
  const TemporaryDirectory directory;
  const auto store = open_sqlite_store(directory.path() / "ledger.db").value();
  ASSERT_TRUE(store->begin(Store::Access::kWrite));
  ASSERT_TRUE(store->seal(segment));
  for (const int64_t sequence : {segment.first, segment.first + 16'384, segment.last}) {
    const auto entry = journal_entry(*store, sequence);
    ASSERT_TRUE(entry) << entry.error().message;
    EXPECT_EQ(entry->sequence, sequence);
    EXPECT_EQ(entry->payload, journal.rows()[static_cast<size_t>(sequence - segment.first)].payload);
  }
  EXPECT_EQ(journal_entry(*store, segment.first - 1).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(journal_entry(*store, segment.last + 1).error().code, ErrorCode::kNotFound);
}

TEST(SegmentTest, LargeEntriesCloseTheirFrame) {
  Journal journal;
  for (int i = 0; i < 2; ++i) journal.append(std::string(5 << 20, static_cast<char>('a' + i)));
  const Segment segment = journal.seal();
  EXPECT_THAT(SegmentReader::open(segment)->frames(), SizeIs(2));
  expect_equal(read_all(segment).value(), journal.rows());
}

TEST(SegmentTest, WhatDoesNotFollowIsNotSealed) {
  Journal journal;
  for (int i = 0; i < 3; ++i) journal.append_request();
  const auto refuses_second = [&](const auto& spoil) {
    SegmentWriter writer(journal.before());
    ASSERT_TRUE(writer.add(journal.rows()[0]));
    JournalRow row = journal.rows()[1];
    spoil(row);
    const auto added = writer.add(row);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, ErrorCode::kCorrupt);
  };
  refuses_second([](JournalRow& row) { row.payload[0] ^= 1; });
  refuses_second([](JournalRow& row) { row.hash[31] ^= 1; });
  refuses_second([](JournalRow& row) { row.time += std::chrono::microseconds(1); });
  refuses_second([&](JournalRow& row) { row = journal.rows()[2]; });
  refuses_second([&](JournalRow& row) { row = journal.rows()[0]; });
  refuses_second([&](JournalRow& row) {
    row = chain(journal.head(), row.time, std::string(kSealedPayloadMax + 1, 'x'));
  });
}

TEST(SegmentTest, EveryChangedByteIsNoticed) {
  Journal journal;
  for (int i = 0; i < 20; ++i) journal.append_request();
  const Segment segment = journal.seal();
  for (size_t at = 0; at < segment.bytes.size(); ++at) {
    for (const int flip : {1, 0x80}) {
      Segment changed = segment;
      changed.bytes[at] = static_cast<char>(changed.bytes[at] ^ flip);
      const auto read = read_all(std::move(changed));
      ASSERT_FALSE(read) << "byte " << at;
      ASSERT_EQ(read.error().code, ErrorCode::kCorrupt);
    }
  }
}

TEST(SegmentTest, EveryOtherLengthIsNoticed) {
  Journal journal;
  for (int i = 0; i < 20; ++i) journal.append_request();
  const Segment segment = journal.seal();
  for (size_t size = 0; size < segment.bytes.size(); ++size) {
    Segment cut = segment;
    cut.bytes.resize(size);
    ASSERT_EQ(read_all(std::move(cut)).error().code, ErrorCode::kCorrupt) << size;
  }
  Segment longer = segment;
  longer.bytes += '\0';
  EXPECT_FALSE(read_all(std::move(longer)));
}

TEST(SegmentTest, AnotherRunsBytesAreNoticed) {
  Journal journal;
  for (int i = 0; i < 20; ++i) journal.append_request();
  const Segment segment = journal.seal();
  const auto refuses = [&segment](const auto& spoil) {
    Segment changed = segment;
    spoil(changed);
    EXPECT_EQ(read_all(std::move(changed)).error().code, ErrorCode::kCorrupt);
  };
  refuses([](Segment& other) { other.first += 1; });
  refuses([](Segment& other) { other.last += 1; });
  refuses([](Segment& other) { other.last -= 1; });
  refuses([](Segment& other) { other.hash[0] ^= 1; });
  refuses([](Segment& other) { other.first = other.last = INT64_MIN; });
}

/// A frame of one entry of kind 'k' whose columns are what the test says.
std::string frame_of(int64_t size, std::string_view refs, std::string_view text, std::string_view ids) {
  FieldWriter heads;
  heads.number(0).number(size).byte('k');
  FieldWriter frame;
  frame.number(1).byte('k').number(std::ssize(refs)).number(std::ssize(text));
  frame.number(std::ssize(heads.bytes())).number(std::ssize(ids));
  return frame.raw(heads.bytes()).raw(ids).raw(refs).raw(text).take();
}

TEST(SegmentTest, AFrameWhoseColumnsDoNotFitIsRefused) {
  using namespace std::string_literals;
  const std::string id = "\0"s + std::string(10, '\0');
  const auto good = unpack_frame(frame_of(29, "\1", "x_", id), 1);
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ((*good)[0].payload, "kx_00000000000000000000000000");
  EXPECT_TRUE(unpack_frame(frame_of(3, "\0"s, "x_", ""), 1));
  for (const auto& [what, bytes] : std::vector<std::pair<const char*, std::string>>{
           {"an id longer than the payload", frame_of(28, "\1", "x_", id)},
           {"text left over", frame_of(29, "\1", "x_y", id)},
           {"text missing", frame_of(31, "\1", "x_", id)},
           {"an id left over", frame_of(3, "\0"s, "x_", id)},
           {"an id missing", frame_of(29, "\1", "x_", "")},
           {"an id cut", frame_of(29, "\1", "x_", id.substr(1))},
           {"an id that was not named", frame_of(29, "\2", "x_", id)},
           {"a reference left over", frame_of(29, "\1\0"s, "x_", id)},
           {"a reference missing", frame_of(29, "", "x_", id)},
           {"an id before 1970", frame_of(29, "\1", "x_", "\1" + id.substr(1))},
           {"a size beyond the bound", frame_of(int64_t{1} << 40, "\1", "x_", id)}}) {
    const auto read = unpack_frame(bytes, 1);
    ASSERT_FALSE(read) << what;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt) << what;
  }
  EXPECT_FALSE(unpack_frame(frame_of(29, "\1", "x_", id), 0));
  EXPECT_FALSE(unpack_frame(frame_of(29, "\1", "x_", id), 2));
  EXPECT_FALSE(unpack_frame(frame_of(29, "\1", "x_", id), SIZE_MAX));
}

}  // namespace
}  // namespace feilun::ledger
