#include <gmock/gmock.h>
#include <sqlite3.h>

#include <boost/json.hpp>
#include <map>
#include <random>

#include "ledger/audit_reconcile.h"
#include "ledger/ledger_fixture.h"
#include "ledger/sealing.h"
#include "ledger/sqlite_store.h"

namespace feilun::ledger {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AuditTest : public LedgerTest {
 protected:
  void SetUp() override {
    credit("1");
    set_up_price();
    for (int i = 0; i < 6; ++i) {
      const std::string id = "req_" + std::to_string(i);
      ASSERT_TRUE(ledger_->hold_now(request(id, 10, 8)));
      if (i == 5) break;
      if (i == 4) {
        ASSERT_TRUE(
            wait<Settlement>([&](auto done) { ledger_->release(id, Outcome::kCancelled, std::move(done)); }));
      } else {
        ASSERT_TRUE(ledger_->settle_now(id, {.input_fresh = 10, .output = 5 + i}, Outcome::kCompleted));
      }
    }
  }

  audit::Place place() {
    return {.directory = directory_.path(),
            .url = schema_.empty() ? "" : TestPostgres::server().url(),
            .schema = schema_};
  }
  std::map<std::string, std::string> state() {
    std::map<std::string, std::string> rows;
    const auto source = place().open(audit::Access::kRead).value();
    EXPECT_TRUE(source->state([&](std::string key, std::string value) -> Result<> {
      rows.emplace(std::move(key), std::move(value));
      return {};
    }));
    return rows;
  }
  /// Writes rows as a hand would.
  void spoil(const std::function<void(audit::Source&)>& how) {
    ledger_.reset();
    const auto source = place().open(audit::Access::kRepair);
    ASSERT_TRUE(source) << source.error().message;
    how(**source);
    ASSERT_TRUE((*source)->commit());
  }
  std::string exported(audit::ExportFormat format, const audit::ExportRange& range = {}) {
    std::string text;
    EXPECT_TRUE(audit::export_journal(place(), format, range, [&](std::string_view part) -> Result<> {
      text += part;
      return {};
    }));
    return text;
  }
  audit::Reconciled reconciled(std::string_view record, const char* tolerance = "0") {
    const auto outside = audit::read_outside(record);
    EXPECT_TRUE(outside) << outside.error().message;
    return audit::reconcile(place(), outside.value(), {}, yuan(tolerance).pico()).value();
  }
};

TEST_F(AuditTest, AnHonestLedgerIsRightAndStaysAsItIs) {
  const auto report = audit::verify(place()).value();
  EXPECT_THAT(report.findings(), IsEmpty());
  EXPECT_EQ(report.requests, 6);
  EXPECT_EQ(report.open_holds, 1);
  EXPECT_THAT(audit::rebuild(place(), /*dry_run=*/true).value().differences, IsEmpty());
}

TEST_F(AuditTest, RebuildingADamagedStateGivesTheSameBytes) {
  const auto before = state();
  std::mt19937_64 random(5);
  for (int round = 0; round < 10; ++round) {
    spoil([&](audit::Source& source) {
      for (const auto& [key, value] : before) {
        const auto what = random() % 8;
        if (what == 0) ASSERT_TRUE(source.erase(key));
        if (what == 1) ASSERT_TRUE(source.put(key, value + "x"));
        if (what == 2) ASSERT_TRUE(source.put(key + "x", value));
      }
    });
    ASSERT_NE(state(), before);
    const auto dry = audit::rebuild(place(), /*dry_run=*/true).value();
    EXPECT_FALSE(dry.differences.empty());
    ASSERT_NE(state(), before);
    const auto rebuilt = audit::rebuild(place(), /*dry_run=*/false).value();
    EXPECT_EQ(rebuilt.differences, dry.differences);
    EXPECT_EQ(rebuilt.rows, std::ssize(before));
    EXPECT_EQ(state(), before);
  }
  EXPECT_TRUE(audit::verify(place()).value().ok());
}

TEST_F(AuditTest, NothingIsRebuiltUnderAServer) {
  EXPECT_EQ(audit::rebuild(place(), false).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(audit::rebuild(place(), true));
}

TEST_F(AuditTest, NothingIsRebuiltFromABrokenJournal) {
  if (test_on_postgres()) GTEST_SKIP() << "damages a file";
  ledger_.reset();
  sqlite3* db = nullptr;
  sqlite3_open((directory_ / "ledger.db").c_str(), &db);
  ASSERT_EQ(sqlite3_exec(db, "UPDATE journal SET time=time+1 WHERE sequence=3; DELETE FROM state", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  const auto rebuilt = audit::rebuild(place(), false);
  ASSERT_FALSE(rebuilt);
  EXPECT_EQ(rebuilt.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(rebuilt.error().message, HasSubstr("entry 3"));
  EXPECT_THAT(state(), IsEmpty());
}

TEST_F(AuditTest, SealedSegmentsAreFollowedAndEveryByteOfThemCounts) {
  if (test_on_postgres()) GTEST_SKIP() << "damages a file";
  const std::string before = exported(audit::ExportFormat::kJsonLines);
  ledger_.reset();
  {
    const auto store = open_sqlite_store(directory_ / "ledger.db").value();
    while (seal_oldest(*store, {.run = 4, .kept = 3}).value()) {
    }
  }
  EXPECT_THAT(audit::verify(place()).value().findings(), IsEmpty());
  EXPECT_EQ(exported(audit::ExportFormat::kJsonLines), before);
  std::vector<int64_t> firsts;
  const auto source = place().open(audit::Access::kRead).value();
  ASSERT_TRUE(source->segments([&](audit::StoredSegment segment) -> Result<> {
    firsts.push_back(segment.first);
    return {};
  }));
  ASSERT_GE(firsts.size(), 2u);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((directory_ / "ledger.db").c_str(), &db), SQLITE_OK);
  std::mt19937_64 random(3);
  for (int i = 0; i < 100; ++i) {
    sqlite3_blob* blob = nullptr;
    ASSERT_EQ(sqlite3_blob_open(db, "main", "segments", "bytes",
                                firsts[static_cast<size_t>(i) % firsts.size()], 1, &blob),
              SQLITE_OK);
    const auto at = static_cast<int>(random() % static_cast<uint64_t>(sqlite3_blob_bytes(blob)));
    const auto flip = [&](uint8_t mask) {
      uint8_t byte = 0;
      ASSERT_EQ(sqlite3_blob_read(blob, &byte, 1, at), SQLITE_OK);
      byte ^= mask;
      ASSERT_EQ(sqlite3_blob_write(blob, &byte, 1, at), SQLITE_OK);
    };
    const auto mask = static_cast<uint8_t>(1 + random() % 255);
    flip(mask);
    sqlite3_blob_close(blob);
    EXPECT_FALSE(audit::verify(place()).value().ok()) << "byte " << at;
    ASSERT_EQ(sqlite3_blob_open(db, "main", "segments", "bytes",
                                firsts[static_cast<size_t>(i) % firsts.size()], 1, &blob),
              SQLITE_OK);
    flip(mask);
    sqlite3_blob_close(blob);
  }
  sqlite3_close(db);
  EXPECT_TRUE(audit::verify(place()).value().ok());
}

TEST_F(AuditTest, ALedgerThatIsNotThereIsNotFoundAndNotMade) {
  const TemporaryDirectory empty;
  for (const bool dry_run : {true, false}) {
    EXPECT_EQ(audit::rebuild({.directory = empty.path()}, dry_run).error().code, ErrorCode::kNotFound);
  }
  EXPECT_TRUE(std::filesystem::is_empty(empty.path()));
}

TEST_F(AuditTest, ExportedLinesAreJsonWithExactAmounts) {
  const std::string text = exported(audit::ExportFormat::kJsonLines);
  int64_t sequence = 0;
  boost::json::object settle;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto object = boost::json::parse(line).as_object();
    EXPECT_EQ(object.at("sequence").as_int64(), ++sequence);
    if (object.at("kind") == "settle" && object.at("request") == "req_1") settle = object;
  }
  EXPECT_EQ(sequence, audit::verify(place()).value().entries);
  EXPECT_EQ(settle.at("outcome"), "completed");
  EXPECT_EQ(settle.at("usage").at("output"), 6);
  // 10 × 300,000 + 6 × 600,000 pico-yuan
  const auto& revenue = settle.at("postings").at(1).as_object();
  EXPECT_EQ(revenue.at("account"), "revenue");
  EXPECT_EQ(revenue.at("amount"), "0.0000066");
  EXPECT_EQ(revenue.at("amount_pico"), "6600000");
}

TEST_F(AuditTest, ExportedEventsAreCloudEventsOfTheSameEntries) {
  std::istringstream lines(exported(audit::ExportFormat::kJsonLines));
  std::istringstream events(exported(audit::ExportFormat::kCloudEvents));
  std::string line;
  std::string event_line;
  bool seen_settle = false;
  while (std::getline(lines, line)) {
    ASSERT_TRUE(std::getline(events, event_line));
    const auto entry = boost::json::parse(line).as_object();
    const auto event = boost::json::parse(event_line).as_object();
    EXPECT_EQ(event.at("data"), entry);
    EXPECT_EQ(event.at("specversion"), "1.0");
    EXPECT_EQ(event.at("id"), entry.at("hash"));
    EXPECT_EQ(event.at("time"), entry.at("time"));
    const std::string kind(entry.at("kind").as_string());
    EXPECT_EQ(event.at("type").as_string(), "feilun.ledger." + kind);
    if (kind != "settle") continue;
    seen_settle = true;
    EXPECT_EQ(event.at("subject"), entry.at("request"));
  }
  EXPECT_TRUE(seen_settle);
  EXPECT_FALSE(std::getline(events, event_line));
}

TEST_F(AuditTest, ExportedCsvHasALineForEachPosting) {
  const std::string text = exported(audit::ExportFormat::kCsv);
  EXPECT_THAT(text, HasSubstr(",settle,\"revenue\",CNY,0.0000066,6600000,\"{\"\"request\"\":\"\"req_1\"\""));
  EXPECT_THAT(text, HasSubstr("funding\",CNY,-1.00,-1000000000000,"));
  const audit::ExportRange never{.from = 5, .until = 5};
  EXPECT_EQ(exported(audit::ExportFormat::kCsv, never),
            "sequence,time,kind,account,currency,amount,amount_pico,fields,hash\r\n");
}

TEST_F(AuditTest, AnOutsideRecordThatAgreesIsReconciled) {
  const auto csv = reconciled(
      "request_id,prompt_tokens,completion_tokens,cost\r\n"
      "req_0,10,5,0.000006\r\nreq_1,10,6,6.6e-06\nreq_2,10,7,0.0000072\n\"req_3\",10,8,0.0000078\n");
  EXPECT_TRUE(csv.ok());
  EXPECT_EQ(csv.equal, 4);
  EXPECT_EQ(csv.sums.at("CNY").here, csv.sums.at("CNY").there);
  const auto json = reconciled(R"({"id":"req_0","amount":0.000006}
{"id":"req_1","amount":"0.0000066","currency":"CNY"}
{"id":"req_2","output_tokens":7}
{"id":"req_3"}
{"id":"req_4","amount":0}
)");
  EXPECT_TRUE(json.ok());
  EXPECT_EQ(json.equal, 5);
}

TEST_F(AuditTest, WhatDiffersFromAnOutsideRecordIsNamed) {
  const auto result = reconciled(
      "request,input_tokens,output_tokens,amount\n"
      "req_0,10,6,0.000006\nreq_1,10,6,0.0000067\nreq_1,10,6,0.0000066\nreq_5,1,1,1\nreq_9,1,1,2.5\n");
  EXPECT_THAT(result.missing_here, ElementsAre("req_5 (still open)", "req_9"));
  EXPECT_THAT(result.missing_there, ElementsAre("req_2", "req_3"));
  EXPECT_THAT(result.different,
              ElementsAre("req_0: 5 output tokens here, 6 there", "req_1: 0.0000066 here, 0.0000067 there",
                          "req_1: more than once there"));
  EXPECT_TRUE(result.sums.at("").there == yuan("3.5").pico()) << "of requests that are not known here";
  EXPECT_THAT(reconciled("request,amount\nreq_1,0.0000067\n", "0.0000001").different, IsEmpty());
}

TEST(Outside, DecimalsOfAnyLengthBecomePicoUnits) {
  const auto pico = [](const char* text) { return static_cast<int64_t>(audit::read_decimal(text).value()); };
  EXPECT_EQ(pico("1"), 1'000'000'000'000);
  EXPECT_EQ(pico("-0.000000000001"), -1);
  EXPECT_EQ(pico("1.5e-11"), 15);
  EXPECT_EQ(pico("2.5E+1"), 25'000'000'000'000);
  EXPECT_EQ(pico("0.0000000000014999"), 1);
  EXPECT_EQ(pico("0.0000000000015"), 2);
  EXPECT_EQ(pico("1e-999"), 0);
  for (const char* wrong : {"", "-", ".5", "1e", "1e9999", "1,5", "0x1", "1e999", "NaN"}) {
    EXPECT_FALSE(audit::read_decimal(wrong)) << wrong;
  }
}

TEST(Outside, ColumnsMayHaveOtherNamesAndLieInsideObjects) {
  const auto rows = audit::read_outside(R"({"meta":{"call":"a"},"usage":{"in":3},"bill_pico":"12"})",
                                        {.request = "meta.call", .input = "usage.in", .amount = "bill_pico"});
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_THAT(*rows, SizeIs(1));
  EXPECT_EQ(rows->at(0).request, "a");
  EXPECT_EQ(rows->at(0).input_tokens, 3);
  EXPECT_TRUE(rows->at(0).amount == 12);
}

TEST(Outside, LinesThatCannotBeReadAreNamed) {
  const auto message = [](const char* text) {
    const auto rows = audit::read_outside(text);
    return rows ? "" : rows.error().message;
  };
  EXPECT_THAT(message("id,amount\na,1\nb,x\n"), HasSubstr("line 3: 'x' in 'amount' is not an amount"));
  EXPECT_THAT(message("id,amount\na\n"), HasSubstr("line 2: it has 1 cells"));
  for (const char* text : {"name\na\n", "[{\"id\":\"a\"}]", "hello"}) {
    EXPECT_THAT(message(text), HasSubstr("line 1: it names no column with requests")) << text;
  }
  EXPECT_THAT(message("id,amount\n,1\n"), HasSubstr("line 2: it names no request"));
  EXPECT_THAT(message("{\"id\":\"a\"}\n{\"id\":"), HasSubstr("line 2: it is not JSON"));
  EXPECT_THAT(message("{\"id\":\"a\",\"input_tokens\":-1}"), HasSubstr("not a count of tokens"));
}

}  // namespace
}  // namespace feilun::ledger
