#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>

#include "base/temporary_directory.h"
#include "ledger/postgres_fixture.h"
#include "ledger/postgres_proxy.h"
#include "ledger/postgres_schema.h"
#include "ledger/segment.h"

// What happens to a group whose gateway stops, or loses its connection, at the worst moment.

namespace feilun::ledger {
namespace {

using Access = Store::Access;
using std::chrono::milliseconds;
using ::testing::ElementsAre;

/// Stands between a store and the server. Once it is armed, the next COMMIT's bytes are the last it takes
/// from that client; what becomes of them is the fate.
class CuttingProxy {
 public:
  enum class Fate {
    kLost,     ///< the server never sees them
    kDone,     ///< the server does them; the client never hears of it
    kDoneLate  ///< as kDone, but only when the client has long gone
  };

  explicit CuttingProxy(std::string server_directory)
      : proxy_(std::move(server_directory),
               [this](int client, int server, const std::stop_token& stop) { serve(client, server, stop); }) {
  }

  std::string url() const { return proxy_.url(); }
  void arm(Fate fate) {
    fate_ = fate;
    armed_ = true;
  }

 private:
  void serve(int client, int server, const std::stop_token& stop) {
    std::string bytes(1 << 16, '\0');
    pollfd both[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
    bool open = true;
    while (open && !stop.stop_requested()) {
      if (poll(both, 2, 20) <= 0) continue;
      for (int from = 0; from < 2 && open; ++from) {
        if (both[from].revents == 0) continue;
        const ssize_t size = read(both[from].fd, bytes.data(), bytes.size());
        const std::string_view read_bytes(bytes.data(), size > 0 ? static_cast<size_t>(size) : 0);
        using namespace std::string_view_literals;
        if (from == 0 && read_bytes.contains("\0commit\0"sv) && armed_.exchange(false)) {
          cut(client, server, read_bytes);
          return;
        }
        open = size > 0 && PostgresProxy::send_all(both[1 - from].fd, read_bytes);
      }
    }
    close(client);
    close(server);
  }

  void cut(int client, int server, std::string_view bytes) {
    if (fate_ != Fate::kDone) close(client);
    if (fate_ == Fate::kDoneLate) std::this_thread::sleep_for(milliseconds(500));
    if (fate_ != Fate::kLost) {
      PostgresProxy::send_all(server, bytes);
      char answer;
      (void)!read(server, &answer, 1);
    }
    if (fate_ == Fate::kDone) close(client);
    close(server);
  }

  std::atomic<bool> armed_{false};
  std::atomic<Fate> fate_{Fate::kLost};
  PostgresProxy proxy_;
};

class PostgresTurnsTest : public PostgresTest {
 protected:
  /// A group whose COMMIT meets `fate`.
  Result<> commit_through(CuttingProxy& proxy, Store& store, CuttingProxy::Fate fate) {
    EXPECT_TRUE(store.begin(Access::kWrite));
    append_one(store, "group");
    proxy.arm(fate);
    return store.commit();
  }
};

TEST_F(PostgresTurnsTest, ACommitThatNeverArrivedDidNotHappen) {
  CuttingProxy proxy(server().directory());
  const auto store = open(proxy.url());
  const auto committed = commit_through(proxy, *store, CuttingProxy::Fate::kLost);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(store->failure());
  ASSERT_TRUE(write_one(*store, "next"));
  EXPECT_THAT(written(*store), ElementsAre("next"));
}

TEST_F(PostgresTurnsTest, ACommitWhoseAnswerWasLostDidHappen) {
  CuttingProxy proxy(server().directory());
  const auto store = open(proxy.url());
  const auto committed = commit_through(proxy, *store, CuttingProxy::Fate::kDone);
  EXPECT_TRUE(committed) << committed.error().message;
  ASSERT_TRUE(write_one(*store, "next"));
  EXPECT_THAT(written(*store), ElementsAre("group", "next"));
}

TEST_F(PostgresTurnsTest, ACommitTheServerHasYetToReadIsWaitedFor) {
  CuttingProxy proxy(server().directory());
  const auto store = open(proxy.url());
  const auto committed = commit_through(proxy, *store, CuttingProxy::Fate::kDoneLate);
  EXPECT_TRUE(committed) << committed.error().message;
  EXPECT_THAT(written(*store), ElementsAre("group"));
}

TEST_F(PostgresTurnsTest, ALostCommitIsFoundBehindWhatOthersWrote) {
  CuttingProxy proxy(server().directory());
  const auto store = open(proxy.url());
  const auto other = open();
  std::jthread waiting;
  EXPECT_TRUE(store->begin(Access::kWrite));
  append_one(*store, "group");
  waiting = std::jthread([&] { EXPECT_TRUE(write_one(*other, "other")); });
  std::this_thread::sleep_for(
      milliseconds(50));  // it stands in the queue for the lock, before our second try
  proxy.arm(CuttingProxy::Fate::kDoneLate);
  const auto committed = store->commit();
  EXPECT_TRUE(committed) << committed.error().message;
  waiting.join();
  EXPECT_THAT(written(*store), ElementsAre("group", "other"));
}

TEST_F(PostgresTurnsTest, AnOutcomeIsAskedForUntilTheDatabaseIsBack) {
  const auto store = open();
  ASSERT_TRUE(store->begin(Access::kWrite));
  append_one(*store, "group");
  server().kill_all();
  auto committed = std::async(std::launch::async, [&] { return store->commit(); });
  EXPECT_EQ(committed.wait_for(std::chrono::seconds(1)), std::future_status::timeout);
  server().start();
  EXPECT_EQ(committed.get().error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(store->failure());
  ASSERT_TRUE(write_one(*store, "next"));
  EXPECT_THAT(written(*store), ElementsAre("next"));
}

TEST_F(PostgresTurnsTest, AnOutcomeThatNobodyStaysForIsAFailure) {
  const auto store = open();
  ASSERT_TRUE(store->begin(Access::kWrite));
  append_one(*store, "group");
  server().kill_all();
  auto committed = std::async(std::launch::async, [&] { return store->commit(); });
  std::this_thread::sleep_for(milliseconds(100));
  store->stop_waiting();
  EXPECT_EQ(committed.get().error().code, ErrorCode::kUnavailable);
  server().start();
  EXPECT_TRUE(store->failure());
  EXPECT_FALSE(store->begin(Access::kWrite));
}

TEST_F(PostgresTurnsTest, ALostCommitIsFoundInASegment) {
  CuttingProxy proxy(server().directory());
  const auto store = open(proxy.url());
  const auto other = open();
  ASSERT_TRUE(store->begin(Access::kWrite));
  append_one(*store, "group");
  std::jthread waiting([&] {
    EXPECT_TRUE(other->begin(Access::kWrite));
    SegmentWriter segment{ChainHead()};
    EXPECT_TRUE(segment.add(std::move(other->entries(0, 1).value().at(0))));
    append_one(*other, "other");
    EXPECT_TRUE(other->seal(segment.finish()));
    EXPECT_TRUE(other->commit());
  });
  std::this_thread::sleep_for(
      milliseconds(50));  // it stands in the queue for the lock, before our second try
  proxy.arm(CuttingProxy::Fate::kDoneLate);
  const auto committed = store->commit();
  EXPECT_TRUE(committed) << committed.error().message;
  ASSERT_TRUE(write_one(*store, "next"));
  EXPECT_THAT(written(*store), ElementsAre("other", "next"));
}

TEST_F(PostgresTurnsTest, AGroupWithoutEntriesIsNotLookedFor) {
  CuttingProxy proxy(server().directory());
  const auto store = open(proxy.url());
  ASSERT_TRUE(store->begin(Access::kWrite));
  ASSERT_TRUE(store->write(std::vector<StateChange>{{"a", "1"}}));
  proxy.arm(CuttingProxy::Fate::kDone);
  EXPECT_EQ(store->commit().error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(store->failure());
}

/// A process of its own that stops in its turn, with an entry written; when it goes on, it commits.
pid_t stopped_gateway(const std::string& url, const PostgresOptions& options) {
  const pid_t gateway = fork();
  if (gateway != 0) return gateway;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto expect = [](bool condition, int code) {
    if (!condition) _exit(code);
  };
  auto opened = open_postgres_store(url, options);
  expect(opened.has_value(), 1);
  Store& store = **opened;
  // On a busy machine its limit for idling may end it before it is where it wants to be.
  const auto appended = [&store] {
    if (!store.begin(Access::kWrite)) return false;
    const JournalRow row = chain(store.head().value(), WallTime(), "stopped");
    if (store.append({&row, 1}) && store.get("last")) return true;
    store.rollback();
    return false;
  };
  while (!appended()) {
  }
  raise(SIGSTOP);
  const auto committed = store.commit();
  expect(!committed && committed.error().code == ErrorCode::kUnavailable, 2);
  expect(!store.failure(), 3);
  expect(store.begin(Access::kRead).has_value(), 4);
  expect(store.head().value().sequence == 1, 5);  // the other's
  _exit(0);
}

TEST_F(PostgresTurnsTest, AGatewayStoppedInItsTurnLosesItToTheNext) {
  const auto other = open();
  options_.idle_limit = milliseconds(500);
  const pid_t gateway = stopped_gateway(server().url(), options_);
  int status = 0;
  ASSERT_EQ(waitpid(gateway, &status, WUNTRACED), gateway);
  ASSERT_TRUE(WIFSTOPPED(status)) << status;
  EXPECT_TRUE(write_one(*other, "other"));
  EXPECT_THAT(written(*other), ElementsAre("other"));
  kill(gateway, SIGCONT);
  ASSERT_EQ(waitpid(gateway, &status, 0), gateway);
  EXPECT_EQ(status, 0);
}

TEST_F(PostgresTurnsTest, AGatewayKilledInItsTurnLosesItAtOnce) {
  const auto other = open();
  const pid_t gateway = stopped_gateway(server().url(), options_);
  int status = 0;
  ASSERT_EQ(waitpid(gateway, &status, WUNTRACED), gateway);
  ASSERT_TRUE(WIFSTOPPED(status)) << status;
  kill(gateway, SIGKILL);
  waitpid(gateway, &status, 0);
  EXPECT_TRUE(write_one(*other, "other"));
  EXPECT_THAT(written(*other), ElementsAre("other"));
}

TEST_F(PostgresTurnsTest, WhoStopsInTheMiddleOfAStatementIsEvicted) {
  const auto patient = open();
  options_.lock_wait = milliseconds(200);
  options_.transaction_limit = std::chrono::seconds(1);
  const auto store = open();
  const std::string lock =
      "SELECT pg_advisory_xact_lock(" + std::to_string(postgres_write_lock(options_.schema)) + ")";
  const std::unique_ptr<PGconn, decltype(&PQfinish)> stopped(PQconnectdb(server().url().c_str()), &PQfinish);
  ASSERT_EQ(PQenterPipelineMode(stopped.get()), 1);
  for (const char* statement : {"SET idle_in_transaction_session_timeout = 100", "BEGIN", lock.c_str()}) {
    ASSERT_EQ(PQsendQueryParams(stopped.get(), statement, 0, nullptr, nullptr, nullptr, nullptr, 0), 1);
  }
  // No Sync: the server waits for the rest, and its own limits do not count that as idling.
  ASSERT_EQ(PQsendFlushRequest(stopped.get()), 1);
  ASSERT_EQ(PQflush(stopped.get()), 0);
  while (sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted") == "0") {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_EQ(store->begin(Access::kWrite).error().code, ErrorCode::kUnavailable);
  Result<> written_at_last = fail(ErrorCode::kUnavailable, "not yet");
  for (int i = 0; i < 100 && !written_at_last; ++i) written_at_last = write_one(*store, "next");
  EXPECT_TRUE(written_at_last) << written_at_last.error().message;
  EXPECT_THAT(written(*patient), ElementsAre("next"));
}

}  // namespace
}  // namespace feilun::ledger
