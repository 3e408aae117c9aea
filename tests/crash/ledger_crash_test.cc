#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "ledger/audit_source.h"
#include "ledger/ledger_fixture.h"
#include "ledger/verify_format.h"
#include "ledger/verify_journal.h"
#include "tests/crash/lossy_vfs.h"

// Kill after kill. A child serves requests from several threads over a VFS that forgets unsynced writes, and
// tells the parent through a pipe what it was promised. The parent kills it at a random moment, opens what is
// left, and holds the journal against the promises.

namespace feilun::ledger {
namespace {

constexpr int kDirectories = 10;
constexpr int kKillsEach = 20;
constexpr int kThreads = 4;
constexpr TokenCount kMarkEvery = 16;
constexpr TokenCount kInput = 20;

enum class Promise : int32_t { kHeld, kReceived, kMarked, kSettled, kReleased };

/// One line of the pipe: smaller than PIPE_BUF, so it arrives whole or not at all.
struct Acknowledged {
  Promise what;
  int32_t thread;
  int64_t request;
  int64_t output;
};

std::string request_name(int round, int32_t thread, int64_t request) {
  return fmt::format("req_{}_{}_{}", round, thread, request);
}

/// One thread's requests. Tokens reach the client at most kMarkEvery past the last durable mark.
class Customer {
 public:
  Customer(Ledger& ledger, std::string project, int pipe, int round, int32_t thread)
      : ledger_(ledger),
        project_(std::move(project)),
        pipe_(pipe),
        round_(round),
        thread_(thread),
        random_(static_cast<uint64_t>(round * kThreads + thread)) {}

  void run() {
    for (;; ++request_) {
      const std::string id = request_name(round_, thread_, request_);
      auto hold = ledger_.hold_now({.request_id = id,
                                    .project_id = project_,
                                    .offering = "nano",
                                    .input_tokens = kInput,
                                    .output_slice = 32});
      if (!hold) _exit(20);
      tell(Promise::kHeld, 0);
      if (random_() % 8 == 0) {
        require(
            wait<Settlement>([&](auto done) { ledger_.release(id, Outcome::kCancelled, std::move(done)); }));
        tell(Promise::kReleased, 0);
      } else {
        generate(id, hold->output_tokens);
      }
    }
  }

 private:
  void generate(const std::string& id, TokenCount allowed) {
    const auto wanted = static_cast<TokenCount>(random_() % 100);
    TokenCount output = 0;
    while (output < wanted) {
      output = std::min(output + 1 + static_cast<TokenCount>(random_() % kMarkEvery), wanted);
      if (output > allowed) {
        auto more = wait<Hold>([&](auto done) { ledger_.top_up(id, 32, std::move(done)); });
        require(more);
        allowed = more->output_tokens;
      }
      tell(Promise::kReceived, output);
      require(wait<TokenUsage>([&](auto done) { ledger_.mark(id, usage(output), std::move(done)); }));
      tell(Promise::kMarked, output);
    }
    require(ledger_.settle_now(id, usage(output), Outcome::kCompleted));
    tell(Promise::kSettled, output);
  }

  static TokenUsage usage(TokenCount output) { return {.input_fresh = kInput, .output = output}; }

  template <typename T>
  void require(const Result<T>& result) {
    if (!result) _exit(21);
  }
  void tell(Promise what, int64_t output) {
    const Acknowledged line{what, thread_, request_, output};
    if (write(pipe_, &line, sizeof line) != sizeof line) _exit(22);
  }

  Ledger& ledger_;
  std::string project_;
  int pipe_;
  int round_;
  int32_t thread_;
  int64_t request_ = 0;
  std::mt19937_64 random_;
};

[[noreturn]] void serve_until_killed(const std::filesystem::path& directory, int pipe, int round) {
  crash::install_lossy_vfs();
  auto ledger = Ledger::open({.directory = directory, .serving = true});
  if (!ledger) _exit(23);
  const std::string project = (*ledger)->find_project("default")->id;
  std::vector<std::thread> threads;
  for (int32_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] { Customer(**ledger, project, pipe, round, i).run(); });
  }
  for (auto& thread : threads) thread.join();
  _exit(24);
}

/// What the client side of one request was promised.
struct Promised {
  bool held = false;
  TokenCount received = 0;
  TokenCount marked = -1;
  TokenCount settled = -1;
  bool released = false;
};

/// How one request ended in the journal.
struct Ended {
  bool released = false;
  uint8_t outcome = 0;
  int64_t output = 0;
  int64_t input = 0;
  int128 charged = 0;
};

std::map<std::string, Ended> ended_in(const std::filesystem::path& directory) {
  std::map<std::string, Ended> found;
  const auto source = audit::open_sqlite_source(directory / "ledger.db", audit::Access::kRead).value();
  const auto take = [&](const audit::StoredEntry& stored) -> Result<> {
    const auto entry = audit::read_payload(stored.payload);
    EXPECT_TRUE(entry) << entry.error();
    if (entry->kind() != audit::Kind::kSettle && entry->kind() != audit::Kind::kRelease) return {};
    Ended ended{.released = entry->kind() == audit::Kind::kRelease};
    ended.outcome = static_cast<uint8_t>(entry->number("outcome"));
    if (!ended.released) {
      ended.output = entry->usage().output();
      ended.input = entry->usage().input();
    }
    for (const auto& posting : entry->postings) {
      if (posting.account == "revenue") ended.charged = posting.amount;
    }
    const std::string& request = entry->text("request");
    EXPECT_TRUE(found.emplace(request, ended).second) << request << " ended twice";
    return {};
  };
  EXPECT_TRUE(audit::each_entry(
      *source, directory / "archive", [](std::string what) { ADD_FAILURE() << what; }, take));
  return found;
}

class LedgerCrash : public ::testing::Test {
 protected:
  void set_up(const std::filesystem::path& directory) {
    auto ledger = Ledger::open({.directory = directory}).value();
    PriceVersion price;
    price.offering = "nano";
    price.currency = "CNY";
    price.rows = pricing::flat_rows({kInputUnit, kInputUnit, kInputUnit, kOutputUnit, kOutputUnit});
    ASSERT_TRUE(ledger->set_price(price));
    ASSERT_TRUE(ledger->credit("default", yuan("1000000"), "CNY", "test", ""));
  }

  /// Lets a child serve for a random while, kills it, and returns what it had been promised.
  std::map<std::string, Promised> kill_one(const std::filesystem::path& directory, int round) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) serve_until_killed(directory, ends[1], round);
    close(ends[1]);
    std::vector<Acknowledged> lines;
    // By the clock, so that opening and recovering are hit too, or by the count of promises, so that a slow
    // machine gets to work as well.
    const bool by_clock = round % 4 == 0;
    const auto now = std::chrono::steady_clock::now();
    const auto stop =
        now + (by_clock ? std::chrono::microseconds(random_() % 40'000) : std::chrono::seconds(20));
    read_until(ends[0], stop, by_clock ? SIZE_MAX : 1 + random_() % 150, lines);
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 1000));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child gave up: " << WEXITSTATUS(status);
    read_until(ends[0], std::chrono::steady_clock::time_point::max(), SIZE_MAX, lines);
    close(ends[0]);
    return promises(lines, round);
  }

  static void read_until(int pipe, std::chrono::steady_clock::time_point stop, size_t lines_max,
                         std::vector<Acknowledged>& lines) {
    while (lines.size() < lines_max) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(stop - std::chrono::steady_clock::now());
      if (left.count() <= 0) return;
      pollfd waiting{pipe, POLLIN, 0};
      if (poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left.count(), 1000))) <= 0) continue;
      Acknowledged line;
      if (read(pipe, &line, sizeof line) != sizeof line) return;
      lines.push_back(line);
    }
  }

  static std::map<std::string, Promised> promises(const std::vector<Acknowledged>& lines, int round) {
    std::map<std::string, Promised> made;
    for (const Acknowledged& line : lines) {
      Promised& promised = made[request_name(round, line.thread, line.request)];
      switch (line.what) {
        case Promise::kHeld:
          promised.held = true;
          break;
        case Promise::kReceived:
          promised.received = line.output;
          break;
        case Promise::kMarked:
          promised.marked = line.output;
          break;
        case Promise::kSettled:
          promised.settled = line.output;
          break;
        case Promise::kReleased:
          promised.released = true;
          break;
      }
    }
    return made;
  }

  static void expect_kept(const std::string& id, const Promised& promised,
                          const std::map<std::string, Ended>& journal) {
    const auto place = journal.find(id);
    ASSERT_NE(place, journal.end()) << id << ": an acknowledged hold never ended";
    const Ended& ended = place->second;
    if (promised.released) {
      EXPECT_TRUE(ended.released) << id;
      EXPECT_EQ(ended.outcome, static_cast<uint8_t>(Outcome::kCancelled)) << id;
      return;
    }
    const int128 exact =
        ended.released ? int128{0} : kInputUnit.pico() * ended.input + kOutputUnit.pico() * ended.output;
    EXPECT_TRUE(ended.charged == exact) << id;
    EXPECT_GE(ended.output, std::max<TokenCount>(promised.marked, 0))
        << id << ": charged less than its last mark";
    EXPECT_LE(promised.received - ended.output, kMarkEvery) << id << ": received more than was charged";
    EXPECT_LE(ended.output, promised.received) << id << ": charged for what was never produced";
    if (promised.marked >= 0) EXPECT_EQ(ended.input, kInput) << id;
    if (promised.settled < 0) return;
    EXPECT_EQ(ended.output, promised.settled) << id << ": an acknowledged charge was lost";
    EXPECT_EQ(ended.outcome, static_cast<uint8_t>(Outcome::kCompleted)) << id;
  }

  static constexpr Money kInputUnit = Money::pico(300'000);
  static constexpr Money kOutputUnit = Money::pico(600'000);
  std::mt19937_64 random_{20'260'101};
  int64_t settled_ = 0;
  int64_t recovered_ = 0;
};

TEST_F(LedgerCrash, TwoHundredKillsLoseNoPromiseAndLeakNoHold) {
  int round = 0;
  for (int d = 0; d < kDirectories; ++d) {
    const TemporaryDirectory directory;
    set_up(directory.path());
    for (int k = 0; k < kKillsEach; ++k, ++round) {
      const auto promised = kill_one(directory.path(), round);
      {
        auto ledger = Ledger::open({.directory = directory.path(), .serving = true});
        ASSERT_TRUE(ledger) << ledger.error().message;
        EXPECT_TRUE((*ledger)->balance("default")->pending.is_zero());
      }
      const auto report = verify(directory.path());
      ASSERT_TRUE(report);
      ASSERT_TRUE(report->ok()) << "kill " << round << ": " << report->findings()[0];
      EXPECT_EQ(report->open_holds, 0);
      const auto journal = ended_in(directory.path());
      for (const auto& [id, promise] : promised) {
        expect_kept(id, promise, journal);
        settled_ += promise.settled >= 0;
      }
      for (const auto& [id, ended] : journal)
        recovered_ += ended.outcome == static_cast<uint8_t>(Outcome::kRecovered);
      if (HasFailure()) FAIL() << "at kill " << round;
    }
  }
  // The kills must have hit something.
  EXPECT_GT(settled_, 200);
  EXPECT_GT(recovered_, 100);
}

}  // namespace
}  // namespace feilun::ledger
