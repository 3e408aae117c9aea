#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "base/log.h"
#include "ledger/archive.h"
#include "ledger/ledger_fixture.h"
#include "ledger/move_to_postgres.h"
#include "ledger/sealing.h"
#include "ledger/spool.h"
#include "ledger/sqlite_migration.h"
#include "ledger/sqlite_store.h"
#include "ledger/telling_pipe.h"
#include "ledger/upgrade.h"
#include "tests/crash/file_faults.h"

// What the ledger does to its files beside serving: sealing, archiving, migrating, spooling. Each is done in
// a process of its own, again and again, and meets a fault at each of its changes of a file in turn: the disk
// is full, a write is short, a sync fails, the process is killed. What is left must be whole, and doing it
// again must get through.

namespace feilun::ledger {
namespace {

namespace fs = std::filesystem;
using crash::FileFault;

constexpr FileFault kFaults[] = {FileFault::kFullDisk, FileFault::kShortWrite, FileFault::kFailedSync,
                                 FileFault::kKill};

class FileFaults : public ::testing::TestWithParam<FileFault> {
 protected:
  using Act = std::function<Result<>(const fs::path& directory)>;
  using Check = std::function<void(const fs::path& directory)>;

  /// `act` in a copy of `prepared` and in another process. False when it came to its end before the fault.
  static bool strikes(const fs::path& prepared, const Act& act, int64_t nth, const Check& check) {
    SCOPED_TRACE(fmt::format("at change {}", nth));
    const TemporaryDirectory directory;
    fs::copy(prepared, directory.path(), fs::copy_options::recursive);
    const pid_t child = fork();
    if (child == 0) {
      spdlog::set_level(spdlog::level::off);
      crash::arm_files(GetParam(), nth);
      const auto done = act(directory.path());
      const bool struck = crash::file_fault_struck();
      crash::arm_files(GetParam(), -1);
      if (!done && !struck) std::fprintf(stderr, "%s\n", done.error().message.c_str());
      _exit(struck ? 1 : done ? 0 : 2);
    }
    int status = 0;
    waitpid(child, &status, 0);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    EXPECT_TRUE(killed || (WIFEXITED(status) && WEXITSTATUS(status) < 2)) << status;
    check(directory.path());
    return killed || (WIFEXITED(status) && WEXITSTATUS(status) == 1);
  }
  /// At each change, until there are no more.
  static void strike_each(const fs::path& prepared, const Act& act, int64_t least, const Check& check) {
    int64_t struck = 0;
    while (strikes(prepared, act, struck + 1, check) && !HasFailure()) ++struck;
    EXPECT_GE(struck, least);
  }
  /// How many changes there must be at least, of which a quarter are syncs.
  static int64_t at_least(int64_t changes) {
    return GetParam() == FileFault::kFailedSync ? changes / 4 : changes;
  }
};

std::unique_ptr<Store> open_store(const fs::path& directory) {
  auto store = open_sqlite_store(directory / "ledger.db");
  EXPECT_TRUE(store) << store.error().message;
  if (!store) return nullptr;
  (*store)->set_archive(directory / "archive");
  return *std::move(store);
}

void expect_verified(const fs::path& directory) {
  const auto report = verify(directory);
  ASSERT_TRUE(report) << report.error().message;
  for (const std::string& problem : report->findings()) ADD_FAILURE() << problem;
}

constexpr SealingOptions kRuns{.run = 4, .kept = 1};

Result<> seal_all(Store& store) {
  while (TRY(seal_oldest(store, kRuns))) {
  }
  return {};
}

int64_t sealed_in(const fs::path& directory) {
  const auto store = open_store(directory);
  EXPECT_TRUE(store->begin(Store::Access::kRead));
  const auto segments = store->segments().value();
  store->rollback();
  return std::ssize(segments);
}

/// A ledger with a few requests.
void make_ledger(const fs::path& directory) {
  ManualClock clock;
  const auto ledger = Ledger::open({.directory = directory, .serving = true, .clock = &clock}).value();
  PriceVersion price{.offering = "nano", .currency = "CNY"};
  price.rows = pricing::flat_rows({.input_fresh = yuan("0.1"), .output = yuan("0.2")});
  ASSERT_TRUE(ledger->set_price(price));
  ASSERT_TRUE(ledger->credit("default", yuan("100"), "CNY", "", ""));
  const std::string project = ledger->find_project("default")->id;
  for (const char* id : {"one", "two", "three"}) {
    ASSERT_TRUE(
        ledger->hold_now({.request_id = id, .project_id = project, .offering = "nano", .input_tokens = 3}));
    ASSERT_TRUE(ledger->settle_now(id, {.input_fresh = 3}, Outcome::kCompleted));
  }
}

TEST_P(FileFaults, SealingLeavesTheJournalWhole) {
  const TemporaryDirectory prepared;
  make_ledger(prepared.path());
  const auto seal = [](const fs::path& directory) -> Result<> {
    auto store = TRY(open_sqlite_store(directory / "ledger.db"));
    return seal_all(*store);
  };
  strike_each(prepared.path(), seal, at_least(12), [&](const fs::path& directory) {
    expect_verified(directory);
    EXPECT_TRUE(seal(directory));
    EXPECT_EQ(sealed_in(directory), 2);
    expect_verified(directory);
  });
}

TEST_P(FileFaults, AnArchiveIsWholeOrGoesOn) {
  const TemporaryDirectory prepared;
  make_ledger(prepared.path());
  ASSERT_TRUE(seal_all(*open_store(prepared.path())));
  const auto archive = [](const fs::path& directory) -> Result<> {
    auto store = TRY(open_sqlite_store(directory / "ledger.db"));
    TRY(archive_segments(*store, directory / "archive", WallTime::max()));
    return {};
  };
  strike_each(prepared.path(), archive, at_least(16), [&](const fs::path& directory) {
    expect_verified(directory);
    EXPECT_TRUE(archive(directory));
    expect_verified(directory);
    const auto files = fs::directory_iterator(directory / "archive");
    EXPECT_EQ(std::count_if(begin(files), end(files),
                            [](const auto& file) { return file.path().extension() == ".segment"; }),
              2);
    const auto store = open_store(directory);
    EXPECT_TRUE(store->begin(Store::Access::kRead));
    EXPECT_EQ(store->segment_bytes(1).error().code, ErrorCode::kNotFound);
    store->rollback();
  });
}

TEST_P(FileFaults, AMigrationIsDoneOrNot) {
  const TemporaryDirectory prepared;
  make_ledger(prepared.path());
  auto steps = sqlite_steps();
  const int64_t newest = steps.back().number;
  steps.push_back({newest + 1, "a column", {"ALTER TABLE segments ADD COLUMN place TEXT"}});
  steps.push_back(
      {newest + 2, "a table", {"CREATE TABLE extra (a INTEGER)", "INSERT INTO extra VALUES (1)"}});
  const auto missing = [&](const fs::path& directory, bool dry_run) -> Result<size_t> {
    SqliteConnection connection;
    TRY(connection.open((directory / "ledger.db").string(), std::chrono::seconds(1)));
    TRY(connection.execute("PRAGMA synchronous=FULL"));
    return TRY(migrate(connection, steps, dry_run)).size();
  };
  const auto upgrade = [&](const fs::path& directory) -> Result<> {
    TRY(missing(directory, false));
    return {};
  };
  strike_each(prepared.path(), upgrade, at_least(4), [&](const fs::path& directory) {
    const auto left = missing(directory, true);
    ASSERT_TRUE(left) << left.error().message;
    EXPECT_TRUE(*left == 0 || *left == 2) << *left;
    EXPECT_EQ(missing(directory, false).value(), *left);
    EXPECT_EQ(missing(directory, true).value(), 0u);
  });
}

TEST_P(FileFaults, AnUpgradeIsDoneOrNotBegun) {
  const TemporaryDirectory prepared;
  make_ledger(prepared.path());
  const auto number_of = [](const fs::path& directory, const char* sql) -> int64_t {
    SqliteConnection connection;
    EXPECT_TRUE(connection.open((directory / "ledger.db").string(), std::chrono::seconds(1)));
    SqliteQuery query(connection, sql);
    return query.next().value() ? query.integer(0).value() : -1;
  };
  // As a program left it that knew no sums by the day and no free money.
  for (const char* sql :
       {"DELETE FROM state WHERE substr(key, 1, 1) IN (x'62', x'47') RETURNING 1", "PRAGMA user_version=2"}) {
    number_of(prepared.path(), sql);
  }
  const char* rows = "SELECT count(*) FROM state";
  const int64_t older = number_of(prepared.path(), rows);
  const auto upgrade = [](const fs::path& directory) -> Result<> {
    TRY(ledger::upgrade(directory, "", /*dry_run=*/false));
    return {};
  };
  strike_each(prepared.path(), upgrade, at_least(4), [&](const fs::path& directory) {
    const bool done = number_of(directory, "PRAGMA user_version") > 2;
    EXPECT_EQ(number_of(directory, rows) > older, done);
    EXPECT_TRUE(upgrade(directory));
    expect_verified(directory);
  });
}

TEST_P(FileFaults, AMoveToPostgresIsDoneOrGoesOn) {
  SKIP_WITHOUT_POSTGRES();
  const TemporaryDirectory prepared;
  make_ledger(prepared.path());
  TestPostgres& server = TestPostgres::server();
  PostgresOptions options{.schema = server.new_schema()};
  const auto move = [&](const fs::path& directory) -> Result<> {
    TRY(move_to_postgres(directory, server.url(), options));
    return {};
  };
  strike_each(prepared.path(), move, 0, [&](const fs::path& directory) {
    if (fs::exists(directory / "ledger.db")) EXPECT_TRUE(move(directory));
    EXPECT_TRUE(fs::exists(directory / "ledger.db.moved"));
    const auto report =
        audit::verify({.directory = directory, .url = server.url(), .schema = options.schema});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->ok());
    EXPECT_GE(report->entries, 8);
    options.schema = server.new_schema();
  });
}

SpoolRecord record(const std::string& id) {
  return {.kind = SpoolRecord::Kind::kSettle, .request_id = id, .usage = {.input_fresh = 7}};
}

std::vector<SpoolRecord> records(std::initializer_list<const char*> ids) {
  std::vector<SpoolRecord> all;
  for (const char* id : ids) all.push_back(record(id));
  return all;
}

std::string ids_of(const std::vector<SpoolRecord>& found) {
  std::string ids;
  for (const SpoolRecord& each : found) ids += each.request_id;
  return ids;
}

/// What a spool's file may hold after each of the steps below; while a step is not acknowledged, what it held
/// before, or a beginning of what it adds, too.
constexpr const char* kHeld[] = {"", "a", "abc", "", "d", "xy", "xyz"};

/// `tell` hears a '+' for each step that is acknowledged, and a '!' where one failed and another record was
/// taken after it.
Result<> use_spool(const fs::path& directory, const std::function<void(char)>& tell) {
  auto spool = TRY(Spool::open(directory / "ledger.spool"));
  tell('+');
  const std::function<Result<>()> steps[] = {[&] { return spool.append(records({"a"})); },
                                             [&] { return spool.append(records({"b", "c"})); },
                                             [&] { return spool.clear(); },
                                             [&] { return spool.append(records({"d"})); },
                                             [&] { return spool.replace(records({"x", "y"})); },
                                             [&] { return spool.append(records({"z"})); }};
  for (const auto& step : steps) {
    if (auto did = step(); !did) {
      if (spool.append(records({"!"}))) tell('!');
      return did;
    }
    tell('+');
  }
  return {};
}

TEST_P(FileFaults, WhatTheSpoolAcknowledgedIsFound) {
  const TemporaryDirectory prepared;
  TellingPipe pipe;
  const auto use = [&](const fs::path& directory) {
    return use_spool(directory, [&](char what) { pipe.tell(what); });
  };
  strike_each(prepared.path(), use, at_least(7), [&](const fs::path& directory) {
    std::string told = pipe.told();
    auto spool = Spool::open(directory / "ledger.spool");
    ASSERT_TRUE(spool) << spool.error().message;
    std::string found = ids_of(spool->found());
    if (told.ends_with('!')) {
      ASSERT_TRUE(found.ends_with('!')) << "it took " << told << " and has " << found;
      found.pop_back();
      told.pop_back();
    }
    const size_t step = told.empty() ? 0 : told.size() - 1;
    const std::string_view before = kHeld[step];
    const std::string_view next = kHeld[std::min(step + 1, std::size(kHeld) - 1)];
    const bool begun = next.starts_with(before) && next.starts_with(found) && found.size() >= before.size();
    EXPECT_TRUE(found == before || found == next || begun) << found << " after step " << step;
  });
}

TEST_P(FileFaults, ServingLosesNothingThatItAcknowledged) {
  const TemporaryDirectory prepared;
  make_ledger(prepared.path());
  const int64_t before = verify(prepared.path()).value().entries;
  TellingPipe pipe;
  const auto serve = [&](const fs::path& directory) -> Result<> {
    const auto ledger = TRY(Ledger::open({.directory = directory, .serving = true}));
    TRY(ledger->credit("default", yuan("1"), "CNY", "", ""));
    pipe.tell('+');
    const std::string project = TRY(ledger->find_project("default")).id;
    TRY(ledger->hold_now(
        {.request_id = "new", .project_id = project, .offering = "nano", .input_tokens = 3}));
    pipe.tell('+');
    TRY(ledger->settle_now("new", {.input_fresh = 3}, Outcome::kCompleted));
    pipe.tell('+');
    return {};
  };
  strike_each(prepared.path(), serve, at_least(12), [&](const fs::path& directory) {
    EXPECT_GE(verify(directory).value().entries, before + std::ssize(pipe.told()));
    const auto ledger = Ledger::open({.directory = directory, .serving = true});
    ASSERT_TRUE(ledger) << ledger.error().message;
    EXPECT_TRUE((*ledger)->balance("default")->pending.is_zero());
    expect_verified(directory);
  });
}

std::string name_of(const ::testing::TestParamInfo<FileFault>& info) {
  static constexpr std::array kNames = {"FullDisk", "ShortWrite", "FailedSync", "Kill"};
  return kNames.at(static_cast<size_t>(info.param));
}

INSTANTIATE_TEST_SUITE_P(EveryChange, FileFaults, ::testing::ValuesIn(kFaults), name_of);

}  // namespace
}  // namespace feilun::ledger
