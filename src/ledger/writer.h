#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/anchor.h"
#include "ledger/books.h"
#include "ledger/lease.h"
#include "ledger/ledger.h"
#include "ledger/sealing.h"
#include "ledger/state.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// The one thread that writes. It takes what is queued, applies it in one transaction together with whatever
/// arrives meanwhile (for at most `group_wait`, or until the queue is empty), commits, moves the anchor, and
/// only then tells the callers. While one group is being synced the next one gathers by itself, so that a
/// busy ledger pays one fsync for many operations and an idle one adds no wait.
///
/// After a failed write, sync or commit it takes nothing more: what the disk holds is then unknown, and a
/// second fsync would only say that the first failure is forgotten.
///
/// A database that another process keeps locked for longer than the store waits is no such failure: nothing
/// was written. Most operations are then refused; those that free money wait for the lock, because nobody
/// would repeat them.
class Writer {
 public:
  /// `lease`: of a gateway that shares the store with others; nullptr otherwise. It is renewed even when
  /// there is nothing else to write. `sealer`: packs old entries away, in one of the gateways; nullptr where
  /// nobody serves.
  Writer(std::unique_ptr<Store> store, Anchor anchor, const Clock& clock,
         std::chrono::microseconds group_wait, std::unique_ptr<Lease> lease = nullptr,
         std::unique_ptr<Sealer> sealer = nullptr);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { stop(); }

  /// Commits what is queued and ends the thread. Nothing may be submitted after.
  void stop();

  template <typename T>
  using Act = std::move_only_function<Result<T>(Books&)>;

  /// False once a failed write made it stop taking money; any thread.
  bool healthy() const { return healthy_; }
  /// Until when holds are sure to be there; any thread.
  MonoTime holds_until() const { return lease_ ? lease_->ends() : MonoTime::max(); }

  enum class WhenLocked { kFail, kWait };

  /// `act` runs inside a transaction, `done` after its commit, both on the writer's thread. With kWait a
  /// locked database only delays them, until the writer stops. `rows`: keys of the state that it will ask for
  /// and that are new to the writer; they are read together with those of the whole group.
  template <typename T>
  void submit(Act<T> act, Done<T> done, WhenLocked when_locked = WhenLocked::kFail,
              std::vector<std::string> rows = {}) {
    auto operation = std::make_unique<Typed<T>>(std::move(act), std::move(done));
    operation->when_locked = when_locked;
    operation->rows = std::move(rows);
    enqueue(std::move(operation));
  }

 private:
  struct Operation {
    virtual ~Operation() = default;
    /// False when it failed: what it changed is undone.
    virtual bool apply(Books& books) = 0;
    /// `failure`: why the group was not committed; nullptr when it was.
    virtual void finish(const Error* failure) = 0;
    WhenLocked when_locked = WhenLocked::kFail;
    std::vector<std::string> rows;
  };

  template <typename T>
  struct Typed final : Operation {
    Typed(Act<T> act_in, Done<T> done_in) : act(std::move(act_in)), done(std::move(done_in)) {}
    bool apply(Books& books) override {
      result.emplace(act(books));
      return result->has_value();
    }
    void finish(const Error* failure) override {
      if (failure != nullptr) {
        done(std::unexpected(*failure));
      } else {
        done(*std::move(result));
      }
    }
    Act<T> act;
    Done<T> done;
    std::optional<Result<T>> result;
  };

  using Group = std::vector<std::unique_ptr<Operation>>;

  void enqueue(std::unique_ptr<Operation> operation);
  void run();
  /// Adds what is queued to what is taken, waiting for work; false when there is none and never will be.
  bool take();
  Result<> commit_group(Group& group);
  Result<> apply_queued(Group& group);
  Result<> read_ahead();
  /// The transaction came to nothing: leaves in the group what fails; after a mere lock, or a database that
  /// is away, the operations that wait are taken back.
  void give_up(Group& group, bool locked);
  Result<> write_group(Group& group);
  Result<> keep_lease();
  /// A moment's rest for a store that does not wait for the lock itself.
  void pause();
  void after_commit();
  void stop_taking_money(const Error& cause);

  std::unique_ptr<Store> store_;
  Anchor anchor_;
  State state_;
  Books books_;
  const Clock& clock_;
  std::chrono::microseconds group_wait_;
  std::unique_ptr<Lease> lease_;
  std::unique_ptr<Sealer> sealer_;
  bool seals_ = true;  ///< no other gateway does
  std::deque<std::unique_ptr<Operation>> taken_;
  std::optional<Error> broken_;
  std::atomic<bool> healthy_{true};  ///< broken_, told to other threads
  std::chrono::steady_clock::time_point anchor_synced_{};
  ChainHead anchored_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Operation>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace feilun::ledger
