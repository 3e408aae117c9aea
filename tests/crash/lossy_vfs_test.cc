#include "tests/crash/lossy_vfs.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "base/temporary_directory.h"

namespace feilun::crash {
namespace {

int64_t count_rows(const std::string& path) {
  sqlite3* db = nullptr;
  sqlite3_open(path.c_str(), &db);
  int64_t rows = -1;
  sqlite3_exec(
      db, "SELECT count(*) FROM t",
      [](void* out, int, char** text, char**) {
        *static_cast<int64_t*>(out) = std::atoll(text[0]);
        return 0;
      },
      &rows, nullptr);
  sqlite3_close(db);
  return rows;
}

/// What a process that inserts a row and dies leaves behind.
int64_t rows_after_a_kill(const char* synchronous) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "x.db").string();
  const pid_t child = fork();
  if (child == 0) {
    install_lossy_vfs();
    sqlite3* db = nullptr;
    sqlite3_open(path.c_str(), &db);
    const auto run = [&](const char* sql) {
      if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) _exit(3);
    };
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("CREATE TABLE t (x)");
    run("INSERT INTO t VALUES (1)");
    run(synchronous);
    run("INSERT INTO t VALUES (2)");
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  return count_rows(path);
}

TEST(LossyVfs, KillKeepsWhatWasSyncedAndLosesTheRest) {
  EXPECT_EQ(rows_after_a_kill("PRAGMA synchronous=FULL"), 2);
  EXPECT_EQ(rows_after_a_kill("PRAGMA synchronous=NORMAL"), 1);
}

}  // namespace
}  // namespace feilun::crash
