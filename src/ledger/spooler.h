#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "ledger/spool.h"
#include "ledger/writer.h"

namespace feilun::ledger {

/// What came of telling the books what an earlier process had left in the spool.
struct Replayed {
  int64_t records = 0;
  int64_t fenced = 0;  ///< ends of requests that others had ended meanwhile
  TokenUsage wasted;
  std::map<std::pair<std::string, std::string>, Money> charged;  ///< by offering and currency
};

/// Tells the books all of it; what they know already changes nothing.
Result<Replayed> replay(Books& books, const std::vector<SpoolRecord>& records);

/// Stands between the road of a request and a writer whose database may be away. Everything is given to the
/// writer as it comes, which tells the database as soon as that is back. Whoever cannot wait for it is
/// answered here:
///
///   a mark, a settle or a release   is durable in the spool once `patience` is over, and at once while the
///                                   database is known to be away
///   a hold                          is refused with kUnavailable, and released should it come about later
///   a top-up                        waits until the gateway may no longer rely on its holds, or its request
///                                   has ended
///
/// The spool is for the case that this process dies before the database is back; else what the writer has
/// in memory is told, and the file is emptied. All methods may be called from any thread; answers come on the
/// writer's thread or the spooler's, and a refusal at once on the caller's.
class Spooler {
 public:
  /// `before`: what was replayed.
  Spooler(Spool spool, Writer& writer, const Clock& clock, std::chrono::milliseconds patience,
          const Replayed& before);
  Spooler(const Spooler&) = delete;
  Spooler& operator=(const Spooler&) = delete;
  ~Spooler() { stop(); }
  /// Spools what the writer could not tell. To be called when the writer has stopped.
  void stop();

  void hold(HoldRequest request, std::vector<std::string> rows, Done<Hold> done);
  void top_up(std::string request_id, TokenCount more, Done<Hold> done);
  void mark(std::string request_id, TokenUsage usage, Done<TokenUsage> done);
  void settle(std::string request_id, TokenUsage usage, Outcome outcome, std::optional<RequestCost> cost,
              Done<Settlement> done);
  void release(std::string request_id, Outcome outcome, Done<Settlement> done);

  /// Somebody else was not answered by the database: it counts as away unless the writer is.
  void suspect();
  SpoolStats stats() const;
  /// Of that what everybody who reads must know.
  struct Contact {
    bool away = false;    ///< the database does not answer
    int64_t returns = 0;  ///< how often it answered again
  };
  Contact contact() const;

 private:
  /// A mark or an end: what the database must come to know.
  struct Told {
    SpoolRecord record;
    Done<Settlement> done;  ///< empty once it was called
    MonoTime due;
    bool given_back = false;  ///< the writer will not tell it any more
    bool confirmed = false;
  };
  /// A hold or a top-up: what is of use only as long as somebody waits for it.
  struct Asked {
    std::string request_id;
    Done<Hold> done;  ///< empty once it was called
    bool is_top_up = false;
    MonoTime due;
    std::atomic<bool> given_up{false};
  };
  using ToldPtr = std::shared_ptr<Told>;
  using AskedPtr = std::shared_ptr<Asked>;
  using Lock = std::unique_lock<std::mutex>;

  AskedPtr ask(const std::string& request_id, Done<Hold> done, bool top_up);
  void tell(SpoolRecord record, Done<Settlement> done);
  void heard(const ToldPtr& told, Result<Settlement> result);
  void heard(const AskedPtr& asked, Result<Hold> result);
  void is_away();
  void is_back();
  void probe();

  void run();
  bool work(Lock& lock);
  std::vector<ToldPtr> take_due(MonoTime now);
  std::vector<AskedPtr> take_overdue(MonoTime now);
  void spool_all(Lock& lock, const std::vector<ToldPtr>& leaving);
  void refuse(Lock& lock, const std::vector<AskedPtr>& overdue);
  bool tidy(Lock& lock);
  std::chrono::nanoseconds until_next(MonoTime now) const;

  Spool spool_;  ///< used by the thread alone
  Writer& writer_;
  const Clock& clock_;
  const std::chrono::milliseconds patience_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<ToldPtr> waiting_;  ///< in the order in which they are due
  std::deque<ToldPtr> urgent_;
  std::set<ToldPtr> spooled_;
  std::deque<AskedPtr> holds_;
  std::map<std::string, AskedPtr> top_ups_;  ///< by request
  SpoolStats stats_;
  int64_t returns_ = 0;
  bool probing_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace feilun::ledger
