#include "ledger/archive.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>

#include "ledger/audit_export.h"
#include "ledger/books.h"
#include "ledger/journal_walk.h"
#include "ledger/ledger_fixture.h"
#include "ledger/postgres_store.h"
#include "ledger/sealing.h"
#include "ledger/sqlite_store.h"

namespace feilun::ledger {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto kDay = std::chrono::hours(24);

/// Three days with two requests each, sealed in runs of four entries.
class ArchiveTest : public LedgerTest {
 protected:
  void SetUp() override {
    set_up_price();
    credit("1");
    for (int day = 0; day < 3; ++day) {
      for (int i = 0; i < 2; ++i) {
        const std::string id = "req_" + std::to_string(day) + std::to_string(i);
        ASSERT_TRUE(ledger_->hold_now(request(id)));
        ASSERT_TRUE(ledger_->settle_now(id, {.input_fresh = 100, .output = 5}, Outcome::kCompleted));
      }
      days_.push_back(clock_.wall());
      clock_.advance(kDay);
    }
    ledger_.reset();
    store_ = open();
    while (seal_oldest(*store_, {.run = 4, .kept = 1}).value()) {
    }
  }

  std::unique_ptr<Store> open() {
    auto store = schema_.empty() ? open_sqlite_store(directory_ / "ledger.db")
                                 : open_postgres_store(TestPostgres::server().url(), {.schema = schema_});
    EXPECT_TRUE(store) << store.error().message;
    (*store)->set_archive(archive());
    return *std::move(store);
  }
  fs::path archive() const { return directory_ / "archive"; }
  audit::Place place() {
    return {.directory = directory_.path(),
            .url = schema_.empty() ? "" : TestPostgres::server().url(),
            .schema = schema_};
  }
  std::vector<std::string> problems() { return audit::verify(place()).value().findings(); }
  std::string exported() {
    std::string all;
    EXPECT_TRUE(audit::export_journal(place(), audit::ExportFormat::kJsonLines, {},
                                      [&](std::string_view text) -> Result<> {
                                        all += text;
                                        return {};
                                      }));
    return all;
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(archive())) {
      if (entry.path().extension() == ".segment") paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    return paths;
  }

  std::vector<WallTime> days_;
  std::unique_ptr<Store> store_;
};

TEST_F(ArchiveTest, WhatIsArchivedIsStillTheSameJournal) {
  const std::string before = exported();
  const auto archived = archive_segments(*store_, archive(), WallTime::max());
  ASSERT_TRUE(archived) << archived.error().message;
  EXPECT_GE(archived->segments, 3);
  EXPECT_EQ(archived->entries, archived->segments * 4);
  EXPECT_EQ(std::ssize(files()), archived->segments);
  EXPECT_THAT(problems(), IsEmpty());
  EXPECT_EQ(exported(), before);
  EXPECT_EQ(audit::rebuild(place(), true).value().differences.size(), 0u);

  ASSERT_TRUE(store_->begin(Store::Access::kRead));
  EXPECT_EQ(journal_entry(*store_, 1).value().sequence, 1);
  store_->rollback();
  store_.reset();
  reopen();
  EXPECT_EQ(ledger_->write<Refund>([](Books& books) { return books.refund({.request_id = "req_00"}); })
                .value()
                .amount,
            Money::pico(100 * 300'000 + 5 * 600'000));
  expect_verified();
}

TEST_F(ArchiveTest, OnlyWhatIsOlderGoesAndASecondTimeGoesOn) {
  EXPECT_EQ(archive_segments(*store_, archive(), days_[0]).value().segments, 0);
  const auto first = archive_segments(*store_, archive(), days_[1]).value();
  EXPECT_GE(first.segments, 1);
  EXPECT_EQ(archive_segments(*store_, archive(), days_[1]).value().segments, 0);
  EXPECT_GE(archive_segments(*store_, archive(), WallTime::max()).value().segments, 1);
  EXPECT_GT(std::ssize(files()), first.segments);
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(ArchiveTest, ArchivingThatWasEndedGoesOn) {
  ASSERT_TRUE(archive_segments(*store_, archive(), WallTime::max()));
  // As if it had been ended before the database forgot the bytes, with a torn file beside.
  store_.reset();
  reopen();
  credit("1");
  ledger_.reset();
  store_ = open();
  while (seal_oldest(*store_, {.run = 1, .kept = 1}).value()) {
  }
  std::ofstream(archive() / "journal-torn.segment.tmp") << "half";
  ASSERT_TRUE(store_->begin(Store::Access::kRead));
  const Segment last = store_->segment_at(INT64_MAX).value().value();
  const std::string bytes = store_->segment_bytes(last.first).value();
  store_->rollback();
  std::ofstream(archive() / archive_name(last), std::ios::binary) << bytes;
  EXPECT_TRUE(archive_segments(*store_, archive(), WallTime::max()));
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(ArchiveTest, AnotherFileOfThatNameIsLeftAlone) {
  ASSERT_TRUE(store_->begin(Store::Access::kRead));
  const Segment first = store_->segment_at(1).value().value();
  store_->rollback();
  fs::create_directories(archive());
  std::ofstream(archive() / archive_name(first)) << "precious";
  EXPECT_EQ(archive_segments(*store_, archive(), WallTime::max()).error().code, ErrorCode::kConflict);
  EXPECT_EQ(fs::file_size(archive() / archive_name(first)), 8u);
  fs::remove(archive() / archive_name(first));
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(ArchiveTest, AMissingArchiveIsNoticed) {
  ASSERT_TRUE(archive_segments(*store_, archive(), WallTime::max()));
  const fs::path lost = files()[1];
  fs::remove(lost);
  for (const auto& error : {audit::verify(place()).error(), audit::rebuild(place(), true).error()}) {
    EXPECT_EQ(error.code, ErrorCode::kNotFound);
    EXPECT_THAT(error.message, HasSubstr("cannot open " + lost.string()));
  }
  fs::create_directory(lost);
  EXPECT_EQ(audit::verify(place()).error().code, ErrorCode::kIo);
  fs::remove(lost);
  ASSERT_TRUE(store_->begin(Store::Access::kRead));
  const auto entry = journal_entry(*store_, 5);
  store_->rollback();
  ASSERT_FALSE(entry);
  EXPECT_EQ(entry.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(entry.error().message, HasSubstr(lost.filename().string()));
}

TEST_F(ArchiveTest, EveryAlteredByteIsNoticed) {
  ASSERT_TRUE(archive_segments(*store_, archive(), WallTime::max()));
  std::mt19937_64 random(7);
  for (int i = 0; i < 50; ++i) {
    const auto paths = files();
    const fs::path path = paths[random() % paths.size()];
    const auto at = static_cast<std::streamoff>(random() % fs::file_size(path));
    const auto flip = [&](char mask) {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(at);
      const char byte = static_cast<char>(file.get() ^ mask);
      file.seekp(at);
      file.put(byte);
    };
    const char mask = static_cast<char>(1 << random() % 8);
    flip(mask);
    EXPECT_THAT(problems(), Not(IsEmpty())) << path << " at " << at;
    flip(mask);
  }
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(ArchiveTest, TheFilesHaveSumsThatOthersCheck) {
  ASSERT_TRUE(archive_segments(*store_, archive(), days_[1]));
  ASSERT_TRUE(archive_segments(*store_, archive(), WallTime::max()));
  const std::string check = "cd '" + archive().string() + "' && b2sum --check --strict --quiet B2SUMS";
  EXPECT_EQ(std::system(check.c_str()), 0);
  std::ofstream(files()[0], std::ios::app) << "x";
  EXPECT_NE(std::system((check + " 2>/dev/null >&2").c_str()), 0);
}

}  // namespace
}  // namespace feilun::ledger
