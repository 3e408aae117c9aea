#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"

namespace feilun::ledger {

/// A real PostgreSQL server for the tests of one program: a cluster of its own in a temporary directory, on
/// a Unix socket, started at the first use. A guardian process ends it and removes its files as soon as the
/// test program is gone, however it went.
class TestPostgres {
 public:
  /// Where the server's programs are; empty where Debian's package is not installed.
  static std::filesystem::path programs() {
    const std::filesystem::path path = "/usr/lib/postgresql/15/bin";
    return exists(path / "initdb") ? path : std::filesystem::path();
  }
  static TestPostgres& server() {
    static TestPostgres one;
    return one;
  }

  const std::string& directory() const { return directory_.native(); }
  std::string url() const { return "postgresql:///postgres?user=feilun&host=" + directory_.string(); }
  /// A name that no other test of this program uses.
  std::string new_schema() { return "feilun" + std::to_string(++schemas_); }

  void start() {
    const pid_t child = fork();
    if (child == 0) {
      exec({(programs() / "postgres").string(), "-D", data(), "-k", directory_.string(), "-c",
            "listen_addresses=", "-c", "max_connections=40"});
    }
    postmaster_ = child;
    while (PQping(url().c_str()) != PQPING_OK) {
      if (waitpid(child, nullptr, WNOHANG) == child) return start();  // the dead one's memory is still there
      usleep(5000);
    }
  }
  /// SIGINT: ends all connections and stops in good order.
  void stop(int signal) {
    kill(postmaster_, signal);
    waitpid(postmaster_, nullptr, 0);
  }
  /// As if the power had gone: no process of the server does anything more.
  void kill_all() {
    const auto processes = children();
    stop(SIGKILL);
    for (const pid_t child : processes) kill(child, SIGKILL);
  }
  /// It hangs: connections stay open, and nothing answers.
  void freeze() {
    kill(postmaster_, SIGSTOP);
    for (const pid_t child : children()) kill(child, SIGSTOP);
  }
  void thaw() {
    for (const pid_t child : children()) kill(child, SIGCONT);
    kill(postmaster_, SIGCONT);
  }
  void restart() {
    stop(SIGINT);
    start();
  }

 private:
  TestPostgres() {
    std::string name = (std::filesystem::temp_directory_path() / "feilun-postgres-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    directory_ = name;
    if (geteuid() == 0) CHECK(chown(name.c_str(), user().pw_uid, user().pw_gid) == 0);
    guard();
    run({(programs() / "initdb").string(), "-D", data(), "-U", "feilun", "-A", "trust", "-E", "UTF8",
         "--locale=C", "--no-sync", "--no-instructions"});
    start();
  }
  ~TestPostgres() {
    stop(SIGQUIT);
    close(alive_);
    waitpid(guardian_, nullptr, 0);
  }

  std::vector<pid_t> children() const {
    const std::string id = std::to_string(postmaster_);
    std::ifstream file("/proc/" + id + "/task/" + id + "/children");
    return {std::istream_iterator<pid_t>(file), {}};
  }
  std::string data() const { return (directory_ / "data").string(); }

  /// The server refuses to run as root.
  static passwd user() {
    const passwd* entry = getpwnam("postgres");
    if (entry == nullptr) entry = getpwnam("nobody");
    CHECK(entry != nullptr);
    return *entry;
  }

  [[noreturn]] void exec(const std::vector<std::string>& arguments) const {
    if (geteuid() == 0) {
      const passwd who = user();
      if (setgid(who.pw_gid) != 0 || setuid(who.pw_uid) != 0) _exit(126);
    }
    if (chdir(directory_.c_str()) != 0) _exit(126);
    if (freopen("log", "a", stdout) != nullptr) dup2(fileno(stdout), STDERR_FILENO);
    close(alive_);
    std::vector<char*> words;
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    execv(words[0], words.data());
    _exit(127);
  }

  void run(const std::vector<std::string>& arguments) const {
    const pid_t child = fork();
    if (child == 0) exec(arguments);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
  }

  /// The guardian waits for the end of a pipe whose other end nobody but the test program holds.
  void guard() {
    int ends[2];
    CHECK(pipe(ends) == 0);
    alive_ = ends[1];
    guardian_ = fork();
    if (guardian_ != 0) {
      close(ends[0]);
      return;
    }
    setsid();
    close(ends[1]);
    char byte;
    while (read(ends[0], &byte, 1) > 0) {
    }
    pid_t postmaster = 0;
    std::ifstream(directory_ / "data" / "postmaster.pid") >> postmaster;
    if (postmaster > 0) kill(postmaster, SIGQUIT);
    for (int i = 0; i < 500 && postmaster > 0 && kill(postmaster, 0) == 0; ++i) usleep(10'000);
    std::error_code ignored;
    remove_all(directory_, ignored);
    _exit(0);
  }

  std::filesystem::path directory_;
  int alive_ = -1;
  pid_t guardian_ = -1;
  pid_t postmaster_ = -1;
  int schemas_ = 0;
};

}  // namespace feilun::ledger

#define SKIP_WITHOUT_POSTGRES()                           \
  if (::feilun::ledger::TestPostgres::programs().empty()) \
  GTEST_SKIP() << "PostgreSQL's server is not installed (Debian: postgresql-15)"
