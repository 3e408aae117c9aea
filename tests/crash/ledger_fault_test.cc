#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ledger/ledger_fixture.h"
#include "tests/crash/lossy_vfs.h"

// A full disk and a failed fsync at every place where the ledger writes. Each case runs in a process of its
// own, because a VFS is the whole process's.

namespace feilun::ledger {
namespace {

constexpr int kBroken = 10;
constexpr int kUntouched = 11;

#define EXPECT_OR_EXIT(condition, code)                          \
  if (!(condition)) {                                            \
    std::fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
    _exit(code);                                                 \
  }

PriceVersion nano_price() {
  PriceVersion price;
  price.offering = "nano";
  price.currency = "CNY";
  const Money unit = Money::pico(1000);
  price.rows = pricing::flat_rows({unit, Money(), Money(), unit, unit});
  return price;
}

Result<Settlement> serve(Ledger& ledger, const std::string& project, int number) {
  const std::string id = "req_" + std::to_string(number);
  TRY(ledger.hold_now({.request_id = id, .project_id = project, .offering = "nano", .input_tokens = 10}));
  return ledger.settle_now(id, {.input_fresh = 10, .output = 5}, Outcome::kCompleted);
}

/// Serves until the fault strikes; then nothing may be taken, nothing synced again, and reads still work.
void run_child(const std::filesystem::path& directory, void (*arm)(int64_t), int64_t nth) {
  crash::install_lossy_vfs();
  spdlog::set_level(spdlog::level::off);
  auto opened = Ledger::open({.directory = directory, .serving = true});
  EXPECT_OR_EXIT(opened, 1);
  Ledger& ledger = **opened;
  const std::string project = ledger.find_project("default")->id;
  EXPECT_OR_EXIT(ledger.credit(project, yuan("1"), "CNY", "test", ""), 2);
  EXPECT_OR_EXIT(ledger.set_price(nano_price()), 3);
  arm(nth);
  int number = 0;
  Result<Settlement> served;
  do {
    served = serve(ledger, project, number++);
  } while (served && number < 2000);
  if (served) _exit(kUntouched);
  EXPECT_OR_EXIT(served.error().code == ErrorCode::kUnavailable, 4);
  EXPECT_OR_EXIT(ledger.credit(project, yuan("1"), "CNY", "test", "").error().code == ErrorCode::kUnavailable,
                 5);
  EXPECT_OR_EXIT(serve(ledger, project, 1000).error().code == ErrorCode::kUnavailable, 6);
  EXPECT_OR_EXIT(ledger.flush().error().code == ErrorCode::kUnavailable, 7);
  EXPECT_OR_EXIT(ledger.balance(project), 8);
  opened->reset();
  EXPECT_OR_EXIT(crash::syncs_since_fault() == 0, 9);
  _exit(kBroken);
}

int exit_code_with(void (*arm)(int64_t), int64_t nth) {
  const TemporaryDirectory directory;
  const pid_t child = fork();
  if (child == 0) run_child(directory.path(), arm, nth);
  int status = 0;
  waitpid(child, &status, 0);
  const auto reopened = Ledger::open({.directory = directory.path(), .serving = true});
  EXPECT_TRUE(reopened) << reopened.error().message;
  const auto report = verify(directory.path());
  EXPECT_TRUE(report && report->ok()) << (report && !report->ok() ? report->problems[0] : "");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(LedgerFaults, FullDiskAtAnyWriteStopsTakingMoney) {
  int struck = 0;
  for (int64_t nth = 1; nth < 60; nth += 2) {
    const int code = exit_code_with(crash::fail_write, nth);
    EXPECT_EQ(code, kBroken) << "write " << nth;
    struck += code == kBroken;
  }
  EXPECT_GT(struck, 20);
}

TEST(LedgerFaults, FailedSyncStopsTakingMoneyAndIsNeverRetried) {
  for (int64_t nth = 1; nth < 20; ++nth)
    EXPECT_EQ(exit_code_with(crash::fail_sync, nth), kBroken) << "sync " << nth;
}

TEST(LedgerFaults, FailedSyncOfACheckpointStopsTakingMoneyToo) {
  for (int64_t nth = 1; nth < 4; ++nth) {
    EXPECT_EQ(exit_code_with(crash::fail_database_sync, nth), kBroken) << "checkpoint " << nth;
  }
}

}  // namespace
}  // namespace feilun::ledger
