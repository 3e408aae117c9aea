#include "ledger/spool.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "base/temporary_directory.h"

namespace feilun::ledger {
namespace {

using Kind = SpoolRecord::Kind;

std::vector<SpoolRecord> some_records() {
  RequestCost cost{.attributed = std::chrono::nanoseconds(5), .currency = "CNY"};
  cost.cost = Money::pico(7);
  return {{.kind = Kind::kMark, .request_id = "req_1", .usage = {.input_fresh = 100, .output = 16}},
          {.kind = Kind::kSettle,
           .request_id = "req_1",
           .usage = {.input_fresh = 100, .cache_read = 3, .output = 17},
           .outcome = Outcome::kCancelled,
           .cost = cost},
          {.kind = Kind::kSettle, .request_id = "req_2", .usage = {.input_fresh = 1}},
          {.kind = Kind::kRelease, .request_id = "req_3", .outcome = Outcome::kFailed}};
}

std::string bytes_of(const std::vector<SpoolRecord>& records) {
  std::string bytes;
  for (const SpoolRecord& record : records) bytes += spool_bytes(record);
  return bytes;
}

class SpoolTest : public ::testing::Test {
 protected:
  Spool open() {
    auto opened = Spool::open(path_);
    EXPECT_TRUE(opened) << opened.error().message;
    return *std::move(opened);
  }
  std::string content() {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_.path() / "ledger.spool";
};

TEST_F(SpoolTest, WhatWasWrittenIsFoundInOrder) {
  open();
  {
    Spool spool = open();
    EXPECT_TRUE(spool.found().empty());
    const auto records = some_records();
    ASSERT_TRUE(spool.append(std::span(records).first(1)));
    ASSERT_TRUE(spool.append(std::span(records).subspan(1)));
  }
  EXPECT_EQ(bytes_of(open().found()), bytes_of(some_records()));
}

TEST_F(SpoolTest, ATornTailIsWhatItWasBeforeTheRecord) {
  ASSERT_TRUE(open().append(some_records()));
  const std::string whole = content();
  const size_t kept = whole.size() - spool_bytes(some_records().back()).size();
  for (size_t size = 0; size < whole.size(); size += size < kept ? 7 : 1) {
    put(whole.substr(0, size));
    Spool spool = open();
    if (size >= kept) EXPECT_EQ(spool.found().size(), 3u) << size;
    // What is written behind it is found by the next.
    ASSERT_TRUE(spool.append(std::vector{some_records()[0]}));
    const size_t found = spool.found().size();
    EXPECT_EQ(open().found().size(), found + 1) << size;
  }
}

TEST_F(SpoolTest, NoByteCanChangeUnnoticed) {
  ASSERT_TRUE(open().append(some_records()));
  const std::string whole = content();
  const std::string right = bytes_of(some_records());
  for (size_t at = 8; at < whole.size(); ++at) {
    std::string wrong = whole;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    const SpoolContents read = read_spool(std::string_view(wrong).substr(8));
    EXPECT_LT(read.records.size(), some_records().size());
    EXPECT_EQ(bytes_of(read.records), right.substr(0, read.read));
  }
}

TEST_F(SpoolTest, IsEmptiedAndWrittenAnew) {
  Spool spool = open();
  ASSERT_TRUE(spool.append(some_records()));
  ASSERT_TRUE(spool.clear());
  EXPECT_EQ(spool.bytes(), 0u);
  EXPECT_TRUE(open().found().empty());
  ASSERT_TRUE(spool.append(some_records()));
  const std::vector needed{some_records()[2]};
  ASSERT_TRUE(spool.replace(needed));
  ASSERT_TRUE(spool.append(std::vector{some_records()[3]}));
  const auto found = open().found();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].request_id, "req_2");
  EXPECT_EQ(found[1].request_id, "req_3");
}

TEST_F(SpoolTest, AFileOfAnotherKindIsLeftAlone) {
  put("something else altogether");
  EXPECT_EQ(Spool::open(path_).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(content(), "something else altogether");
}

}  // namespace
}  // namespace feilun::ledger
