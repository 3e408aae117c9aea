#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "ledger/lived_ledger.h"

namespace feilun::ledger {
namespace {

const std::vector<std::string> kTables = {"journal", "segments", "state"};

/// A raw connection, as a hand with a tool would have it.
class Hand {
 public:
  explicit Hand(const std::filesystem::path& directory) {
    sqlite3_open((directory / "ledger.db").c_str(), &db_);
    sqlite3_exec(db_, "PRAGMA synchronous=OFF", nullptr, nullptr, nullptr);
  }
  Hand(const Hand&) = delete;
  Hand& operator=(const Hand&) = delete;
  ~Hand() { sqlite3_close(db_); }

  bool run(const std::string& sql) {
    return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK && sqlite3_changes(db_) > 0;
  }
  int64_t number(const std::string& sql) { return std::stoll("0" + text(sql)); }
  /// The first column of all rows, one after the other.
  std::string text(const std::string& sql) {
    std::string all;
    failed_ = sqlite3_exec(
                  db_, sql.c_str(),
                  [](void* out, int columns, char** cells, char**) {
                    for (int i = 0; i < columns; ++i)
                      *static_cast<std::string*>(out) += cells[i] ? cells[i] : "~";
                    return 0;
                  },
                  &all, nullptr) != SQLITE_OK;
    return all;
  }
  bool failed() const { return failed_; }

  /// Every value of every table in a form that shows its type.
  std::string dump() {
    std::string all;
    for (const std::string& table : kTables) {
      const std::string columns =
          text("SELECT group_concat('quote(' || name || ')', ',') FROM pragma_table_info('" + table + "')");
      all += text("SELECT " + columns + " FROM " + table);
      if (failed_) return "unreadable";
    }
    return all;
  }

  /// Flips one byte of one value; false when the row's rules forbid it or there is nothing to flip.
  bool corrupt(const std::string& table, std::mt19937_64& random) {
    const int64_t rows = number("SELECT count(*) FROM " + table);
    const int64_t columns = number("SELECT count(*) FROM pragma_table_info('" + table + "')");
    if (rows == 0) return false;
    const std::string column = text("SELECT name FROM pragma_table_info('" + table + "') WHERE cid=" +
                                    std::to_string(random() % static_cast<uint64_t>(columns)));
    const std::string keys =
        text("SELECT group_concat(name, ',') FROM pragma_table_info('" + table + "') WHERE pk>0");
    const std::string row = " WHERE (" + keys + ") IN (SELECT " + keys + " FROM " + table +
                            " LIMIT 1 OFFSET " + std::to_string(random() % static_cast<uint64_t>(rows)) + ")";
    const std::string type = text("SELECT typeof(" + column + ") FROM " + table + row);
    const uint64_t flip = 1 + random() % 255;
    if (type == "integer") {
      const auto mask = static_cast<int64_t>(flip << (8 * (random() % 8)));
      const std::string m = "(" + std::to_string(mask) + ")";
      return run("UPDATE " + table + " SET " + column + "=((" + column + "|" + m + ")-(" + column + "&" + m +
                 "))" + row);
    }
    std::string hex = text("SELECT hex(CAST(" + column + " AS BLOB)) FROM " + table + row);
    if (hex.empty()) return false;
    const size_t at = 2 * (random() % (hex.size() / 2));
    const auto byte = std::stoul(hex.substr(at, 2), nullptr, 16) ^ flip;
    hex.replace(at, 2, fmt::format("{:02X}", byte));
    const std::string value = "x'" + hex + "'";
    return run("UPDATE " + table + " SET " + column + "=" +
               (type == "text" ? "CAST(" + value + " AS TEXT)" : value) + row);
  }

 private:
  sqlite3* db_ = nullptr;
  bool failed_ = false;
};

class VerifyTest : public LedgerTest {
 protected:
  void SetUp() override {
    if (test_on_postgres()) GTEST_SKIP() << "damages files";
    // All tests spoil copies of one ledger.
    static const std::filesystem::path* const kept = keep_a_ledger();
    ledger_.reset();
    copy_files(*kept, directory_.path());
    clock_.advance(now_ - clock_.wall());
    reopen(/*serving=*/false);
    project_id_ = project_id();
  }

  const std::filesystem::path* keep_a_ledger() {
    static TemporaryDirectory kept;
    credit("1");
    EXPECT_TRUE(ledger_->credit("default", yuan("2"), "CNY", "gift", "once"));
    EXPECT_TRUE(ledger_->set_price(price()));
    EXPECT_TRUE(ledger_->set_price(price("other")));
    const std::string key = ledger_->create_key("default", "laptop", KeyRole::kProject)->key.id;
    EXPECT_TRUE(ledger_->create_key("default", "phone", KeyRole::kProject));
    EXPECT_TRUE(ledger_->revoke_key(key));
    serve(0, 20);
    LivedLedger(*ledger_, clock_).live();
    now_ = clock_.wall();
    copy_to(kept.path());
    return &kept.path();
  }

  void serve(int first, int last) {
    for (int i = first; i < last; ++i) {
      const std::string id = "req_" + std::to_string(i);
      ASSERT_TRUE(ledger_->hold_now(request(id, 10, 8)));
      const TokenUsage usage{
          .input_fresh = 4, .cache_read = 5, .cache_write = 1, .output = 6, .reasoning = i % 3};
      if (i % 3 == 0) ASSERT_TRUE(wait<Hold>([&](auto done) { ledger_->top_up(id, 5, std::move(done)); }));
      if (i % 2 == 0)
        ASSERT_TRUE(wait<TokenUsage>([&](auto done) { ledger_->mark(id, usage, std::move(done)); }));
      if (i % 5 == 4) continue;
      if (i % 5 == 3) {
        ASSERT_TRUE(
            wait<Settlement>([&](auto done) { ledger_->release(id, Outcome::kCancelled, std::move(done)); }));
      } else {
        ASSERT_TRUE(ledger_->settle_now(id, usage, Outcome::kCompleted));
      }
    }
  }

  static void copy_files(const std::filesystem::path& from, const std::filesystem::path& to) {
    const auto overwrite = std::filesystem::copy_options::overwrite_existing;
    for (const char* name : {"ledger.db-wal", "ledger.db-shm"}) std::filesystem::remove(to / name);
    for (const char* name : {"ledger.db", "ledger.anchor"}) {
      std::filesystem::copy_file(from / name, to / name, overwrite);
    }
  }
  /// A copy of the closed ledger to be spoilt.
  void copy_to(const std::filesystem::path& directory) {
    ledger_.reset();
    copy_files(directory_.path(), directory);
  }

  static std::vector<std::string> problems_of(const std::filesystem::path& directory) {
    const auto report = verify(directory);
    EXPECT_TRUE(report) << report.error().message;
    return report ? report->findings() : std::vector<std::string>();
  }

  static inline WallTime now_;  ///< of the ledger that all spoil
  std::string project_id_;
  TemporaryDirectory spoilt_;
  std::mt19937_64 random_{7};
};

TEST_F(VerifyTest, FindsNothingWrongInAnHonestLedger) {
  const auto beside_a_server = verify(directory_.path()).value();
  EXPECT_TRUE(beside_a_server.ok()) << beside_a_server.findings()[0];
  EXPECT_EQ(beside_a_server.requests, 20 + LivedLedger::kRequests);
  EXPECT_EQ(beside_a_server.open_holds, 4 + LivedLedger::kOpen);
  copy_to(spoilt_.path());
  const auto closed = verify(spoilt_.path()).value();
  EXPECT_TRUE(closed.ok()) << closed.findings()[0];
  EXPECT_EQ(closed.entries, beside_a_server.entries);
}

TEST_F(VerifyTest, WhatIsSpoiltHereHasEveryKindOfEntryAndRowsOfEveryTable) {
  const audit::Place place{.directory = directory_.path()};
  std::set<std::string> kinds;
  ASSERT_TRUE(audit::read_journal(place, [&](const audit::ReadEntry& read) -> Result<> {
    kinds.insert(read.entry.spec->name);
    return {};
  }));
  for (const std::string& kind : audit::kind_names()) EXPECT_TRUE(kinds.contains(kind)) << kind;
  std::set<char> tables;
  const auto source = place.open(audit::Access::kRead).value();
  ASSERT_TRUE(source->state([&](const std::string& key, const std::string&) -> Result<> {
    tables.insert(key[0]);
    return {};
  }));
  for (const char table : audit::replayed_tables()) EXPECT_TRUE(tables.contains(table)) << table;
}

TEST_F(VerifyTest, DetectsAnySingleByteCorruptionOfARow) {
  for (const char* table : {"journal", "state"}) {
    for (int corrupted = 0; corrupted < 150;) {
      copy_to(spoilt_.path());
      std::string before, after;
      {
        Hand hand(spoilt_.path());
        before = hand.dump();
        if (!hand.corrupt(table, random_)) continue;
        after = hand.dump();
      }
      ASSERT_NE(before, after);
      ++corrupted;
      EXPECT_FALSE(problems_of(spoilt_.path()).empty()) << "in " << table << " " << corrupted;
    }
  }
}

TEST_F(VerifyTest, DetectsLostAndInventedRowsOfTheState) {
  for (int i = 0; i < 40; ++i) {
    copy_to(spoilt_.path());
    {
      Hand hand(spoilt_.path());
      const auto rows = static_cast<uint64_t>(hand.number("SELECT count(*) FROM state"));
      const std::string one =
          "(SELECT key FROM state LIMIT 1 OFFSET " + std::to_string(random_() % rows) + ")";
      ASSERT_TRUE(hand.run(
          i % 2 == 0
              ? "DELETE FROM state WHERE key=" + one
              : "INSERT INTO state SELECT CAST(key || x'00' AS BLOB), value FROM state WHERE key=" + one));
    }
    EXPECT_EQ(problems_of(spoilt_.path()).size(), 1u) << i;
  }
}

TEST_F(VerifyTest, NamesTheRowThatWasChangedAndHow) {
  copy_to(spoilt_.path());
  const std::string wallet = "'wallet:" + project_id_ + "'";
  ASSERT_TRUE(Hand(spoilt_.path())
                  .run("UPDATE state SET value=x'80000000000000000000048c27395000' WHERE key=CAST('Awallet:" +
                       project_id_ + "' || x'00' || 'CNY' AS BLOB)"));
  const auto problems = problems_of(spoilt_.path());
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_TRUE(problems[0].starts_with("state: account " + wallet + " 'CNY': balance is 5.00, not 2.99"))
      << problems[0];
}

TEST_F(VerifyTest, DetectsDeletedSwappedAndDuplicatedEntries) {
  for (int i = 0; i < 100; ++i) {
    copy_to(spoilt_.path());
    {
      Hand hand(spoilt_.path());
      const int64_t last = hand.number("SELECT max(sequence) FROM journal");
      const auto pick = [&] {
        return std::to_string(1 + static_cast<int64_t>(random_() % static_cast<uint64_t>(last)));
      };
      const std::string a = pick();
      std::string b = pick();
      while (b == a) b = pick();
      const std::string from = " (SELECT time, payload, hash FROM was WHERE sequence=";
      const std::string columns = "(time, payload, hash) =";
      switch (i % 3) {
        case 0:
          ASSERT_TRUE(hand.run("DELETE FROM journal WHERE sequence=" + a));
          break;
        case 1:
          hand.run("CREATE TEMP TABLE was AS SELECT * FROM journal");
          ASSERT_TRUE(hand.run("UPDATE journal SET " + columns + from + b + ") WHERE sequence=" + a));
          ASSERT_TRUE(hand.run("UPDATE journal SET " + columns + from + a + ") WHERE sequence=" + b));
          break;
        default:
          ASSERT_TRUE(hand.run("INSERT INTO journal SELECT " + std::to_string(last + 1) +
                               ", time, payload, hash FROM journal WHERE sequence=" + a));
      }
    }
    EXPECT_FALSE(problems_of(spoilt_.path()).empty()) << i;
  }
}

TEST_F(VerifyTest, NamesTheEntryThatWasChanged) {
  copy_to(spoilt_.path());
  ASSERT_TRUE(Hand(spoilt_.path()).run("UPDATE journal SET time=time+1 WHERE sequence=9"));
  const auto problems = problems_of(spoilt_.path());
  ASSERT_FALSE(problems.empty());
  EXPECT_TRUE(problems[0].starts_with("entry 9:")) << problems[0];
}

TEST_F(VerifyTest, DetectsATruncatedTailByTheAnchor) {
  // An older state is consistent in itself; only the anchor knows that there was more.
  copy_to(spoilt_.path());
  EXPECT_TRUE(problems_of(spoilt_.path()).empty());
  ledger_ = Ledger::open(options(/*serving=*/false)).value();
  serve(20, 22);
  ledger_.reset();
  std::filesystem::copy_file(directory_.path() / "ledger.anchor", spoilt_.path() / "ledger.anchor",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(problems_of(spoilt_.path()).empty());
  const auto opened = Ledger::open({.directory = spoilt_.path()});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
}

TEST_F(VerifyTest, DetectsRowsCutOffTheEnd) {
  for (int cut = 1; cut <= 5; ++cut) {
    copy_to(spoilt_.path());
    ASSERT_TRUE(Hand(spoilt_.path())
                    .run("DELETE FROM journal WHERE sequence>(SELECT max(sequence)-" + std::to_string(cut) +
                         " FROM journal)"));
    EXPECT_FALSE(problems_of(spoilt_.path()).empty());
  }
}

TEST_F(VerifyTest, DetectsADamagedOrMissingAnchor) {
  copy_to(spoilt_.path());
  const auto anchor = spoilt_.path() / "ledger.anchor";
  for (int i = 0; i < 20; ++i) {
    copy_to(spoilt_.path());
    std::fstream file(anchor, std::ios::in | std::ios::out | std::ios::binary);
    const auto at = static_cast<std::streamoff>(random_() % 128);
    file.seekg(at);
    const int byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 0x40));
    file.close();
    EXPECT_FALSE(problems_of(spoilt_.path()).empty()) << "byte " << at;
  }
  std::filesystem::remove(anchor);
  EXPECT_FALSE(problems_of(spoilt_.path()).empty());
}

TEST_F(VerifyTest, DetectsAnAnchorOfZeros) {
  const auto anchor = spoilt_.path() / "ledger.anchor";
  for (const size_t size : {64u, 128u}) {
    copy_to(spoilt_.path());
    std::ofstream(anchor, std::ios::binary | std::ios::trunc) << std::string(size, '\0');
    EXPECT_FALSE(problems_of(spoilt_.path()).empty()) << size << " bytes";
  }
}

TEST_F(VerifyTest, AllowsOneAnchorSlotThatWasNeverWritten) {
  copy_to(spoilt_.path());
  const auto anchor = spoilt_.path() / "ledger.anchor";
  ASSERT_EQ(std::filesystem::file_size(anchor), 128u);
  for (const std::streamoff at : {0, 64}) {
    copy_to(spoilt_.path());
    std::fstream(anchor, std::ios::in | std::ios::out | std::ios::binary).seekp(at) << std::string(64, '\0');
    const auto problems = problems_of(spoilt_.path());
    EXPECT_TRUE(problems.empty()) << problems[0];
  }
}

TEST_F(VerifyTest, RecoveryOfAHoldWithoutAPriceIsAClearError) {
  HoldRequest without = request("req_without");
  without.offering = "other";
  ASSERT_TRUE(ledger_->hold_now(without));
  copy_to(spoilt_.path());
  ASSERT_TRUE(Hand(spoilt_.path())
                  .run("DELETE FROM state WHERE key=CAST('Rprice' || x'00' || '2' || x'00' AS BLOB)"));
  const auto opened = Ledger::open({.directory = spoilt_.path(), .serving = true});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
}

TEST_F(VerifyTest, DamagedDatabaseFileGivesProblemsAndNeverCrashes) {
  copy_to(spoilt_.path());
  const std::string honest = Hand(spoilt_.path()).dump();
  std::ifstream in(spoilt_.path() / "ledger.db", std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  int detected = 0;
  for (int i = 0; i < 200; ++i) {
    std::string bytes = whole;
    if (i % 10 == 9) bytes.resize(random_() % bytes.size());
    for (int flips = i % 4; flips >= 0 && !bytes.empty(); --flips) {
      bytes[random_() % (i % 3 == 0 ? std::min<size_t>(bytes.size(), 4096) : bytes.size())] ^=
          static_cast<char>(1 + random_() % 255);
    }
    copy_to(spoilt_.path());
    std::ofstream(spoilt_.path() / "ledger.db", std::ios::binary | std::ios::trunc) << bytes;
    const bool found = !problems_of(spoilt_.path()).empty();
    detected += found;
    if (!found) EXPECT_EQ(Hand(spoilt_.path()).dump(), honest) << "damage " << i << " changed a row unseen";
  }
  EXPECT_GT(detected, 100);
}

TEST_F(VerifyTest, AMissingLedgerIsNotFound) {
  const TemporaryDirectory empty;
  EXPECT_EQ(verify(empty.path()).error().code, ErrorCode::kNotFound);
}

TEST_F(VerifyTest, OpeningSomethingElseIsAClearError) {
  const TemporaryDirectory other;
  std::ofstream(other.path() / "ledger.db") << std::string(5000, 'x');
  EXPECT_EQ(Ledger::open({.directory = other.path()}).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace feilun::ledger
