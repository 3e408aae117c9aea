#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "ledger/shared_ledger_fixture.h"
#include "ledger/telling_pipe.h"
#include "ledger/way_through.h"

// Gateways as processes of their own that are killed, stopped past their leases, and cut off from the
// database, at random and while money is left. What they say to whoever asked is told to the test by a pipe,
// so that it is not the ledger alone that says what was served.

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;

constexpr size_t kGateways = 4;
constexpr int kRounds = 12;

/// What a gateway tells.
enum Told : char {
  kOpened = 'o',
  kServed = 's',   ///< its charge is in the database
  kSpooled = 'p',  ///< its charge is in the spool, and may come too late
  kRefused = 'r',  ///< others had ended it
  kTooLate = 'l',  ///< so was one that had been spooled
  kImpossible = '?'
};

/// Of this process, if it is a gateway: SIGUSR1 closes it and SIGUSR2 opens it.
WayThrough* own_way = nullptr;

class LostGateways : public SharedLedger, public ::testing::WithParamInterface<uint64_t> {
 protected:
  LostGateways() { lease_ = milliseconds(400); }

  milliseconds between(int least, int most) {
    return milliseconds(std::uniform_int_distribution(least, most)(random_));
  }
  void start(size_t gateway) {
    children_[gateway] = fork();
    if (children_[gateway] == 0) be_gateway(gateway);
    ++started_;
    for (int i = 0; i < 3000 && told_[kOpened] < started_; ++i) listen_for(milliseconds(10));
    ASSERT_EQ(told_[kOpened], started_) << "gateway " << gateway << " does not open";
  }
  void kill_one(size_t gateway) {
    int status = 0;
    kill(children_[gateway], SIGKILL);
    ASSERT_EQ(waitpid(children_[gateway], &status, 0), children_[gateway]);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "it ended by itself: " << status;
    ++killed_;
  }
  /// It is killed and started anew, or stands still until others have ended what it held, or is cut off.
  void lose(size_t gateway, int how) {
    if (how == 0) {
      kill_one(gateway);
      start(gateway);
    } else {
      kill(children_[gateway], how == 1 ? SIGSTOP : SIGUSR1);
      listen_for(how == 1 ? lease_ + between(400, 800) : between(100, 1200));
      kill(children_[gateway], how == 1 ? SIGCONT : SIGUSR2);
    }
  }
  void listen_for(milliseconds time) {
    std::this_thread::sleep_for(time);
    for (const char what : pipe_.told()) ++told_[what];
  }

  std::array<pid_t, kGateways> children_ = {};
  int started_ = 0;
  int killed_ = 0;
  std::map<char, int> told_;
  std::mt19937_64 random_{GetParam()};

 private:
  /// Serves one request after another until it is killed.
  [[noreturn]] void be_gateway(size_t gateway) {
    random_.seed(GetParam() * 1000 + static_cast<uint64_t>(started_));
    setenv("TMPDIR", directory_.path().c_str(), 1);  // whoever is killed leaves its files
    WayThrough way(TestPostgres::server().directory());
    own_way = &way;
    std::signal(SIGUSR1, [](int) { own_way->become(WayThrough::State::kRefused); });
    std::signal(SIGUSR2, [](int) { own_way->become(WayThrough::State::kOpen); });
    LedgerOptions through = options("gateway-" + std::to_string(gateway));
    through.url = way.url();
    through.patience = milliseconds(200);
    const auto opened = Ledger::open(through);
    if (!opened) _exit(1);
    pipe_.tell(kOpened);
    Ledger& ledger = **opened;
    const std::string project = ledger.find_project("default")->id;
    int64_t too_late = 0;
    for (int i = 0;; ++i) {
      serve_slowly(ledger, "req_" + std::to_string(started_) + '_' + std::to_string(i), project);
      for (; too_late < ledger.spool().fenced; ++too_late) pipe_.tell(kTooLate);
    }
  }
  void serve_slowly(Ledger& ledger, const std::string& id, const std::string& project) {
    const auto hold = ledger.hold_now(request(id, project));
    std::this_thread::sleep_for(between(50, 150));
    if (!hold) return;
    const auto settled = settle(ledger, id);
    if (settled) return pipe_.tell(settled->spooled ? kSpooled : kServed);
    pipe_.tell(settled.error().code == ErrorCode::kConflict ? kRefused : kImpossible);
  }

  TellingPipe pipe_;
};

TEST_P(LostGateways, NeverSpendMoreThanIsThereAndEveryUnitTheyLeaveCanBeSpent) {
  for (size_t gateway = 0; gateway < kGateways; ++gateway) ASSERT_NO_FATAL_FAILURE(start(gateway));
  for (int round = 0; round < kRounds; ++round) {
    listen_for(between(20, 100));
    ASSERT_NO_FATAL_FAILURE(lose(random_() % kGateways, round % 3));
  }
  for (size_t gateway = 0; gateway < kGateways; ++gateway) ASSERT_NO_FATAL_FAILURE(kill_one(gateway));
  listen_for(milliseconds(0));

  auto ledger = open("witness");
  const auto pending = [&] { return ledger->balance("default")->pending; };
  for (int i = 0; i < 3000 && !pending().is_zero(); ++i) std::this_thread::sleep_for(milliseconds(20));
  ASSERT_TRUE(pending().is_zero()) << "what they held stays held";
  const int64_t charged = ledger->usage("default")->requests;
  EXPECT_EQ(ledger->usage("default")->charged, kEach * charged);
  EXPECT_EQ(ledger->balance("default")->posted, kEach * (kPaid - charged));
  EXPECT_LT(charged, kPaid) << "the last to be lost had nothing to spend";
  EXPECT_GT(told_[kServed], 0);
  EXPECT_LE(told_[kServed], charged);
  EXPECT_LE(charged, told_[kServed] + told_[kSpooled] + killed_) << "one was charged that nobody served";
  EXPECT_GT(told_[kSpooled], 0) << "nobody was cut off while it served";
  EXPECT_GT(told_[kRefused] + told_[kTooLate], 0) << "nobody came too late";
  EXPECT_EQ(told_[kImpossible], 0);

  const std::string project = ledger->find_project("default")->id;
  int64_t more = 0;
  while (serve(*ledger, "more_" + std::to_string(more), project)) ++more;
  EXPECT_EQ(more, kPaid - charged);
  EXPECT_EQ(ledger->hold_now(request("none", project)).error().code, ErrorCode::kInsufficientQuota);
  EXPECT_TRUE(ledger->balance("default")->posted.is_zero());
  EXPECT_TRUE(pending().is_zero());
  ledger.reset();
  const auto report = audit::verify(
      {.directory = directory_.path() / "witness", .url = TestPostgres::server().url(), .schema = schema_});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->ok());
}

INSTANTIATE_TEST_SUITE_P(Seeds, LostGateways, ::testing::Values(1, 2),
                         [](const auto& seed) { return std::to_string(seed.param); });

}  // namespace
}  // namespace feilun::ledger
