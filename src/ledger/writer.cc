#include "ledger/writer.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "base/log.h"

namespace feilun::ledger {
namespace {

constexpr size_t kGroupMax = 4096;
constexpr int64_t kRecoverAtOnce = 1000;
constexpr auto kLockedPause = std::chrono::milliseconds(20);
constexpr auto kAnchorSyncEvery = std::chrono::seconds(1);

}  // namespace

Writer::Writer(std::unique_ptr<Store> store, Anchor anchor, const Clock& clock,
               std::chrono::microseconds group_wait, std::unique_ptr<Lease> lease,
               std::unique_ptr<Sealer> sealer)
    : store_(std::move(store)),
      anchor_(std::move(anchor)),
      state_(*store_),
      books_(state_),
      clock_(clock),
      group_wait_(group_wait),
      lease_(std::move(lease)),
      sealer_(std::move(sealer)),
      thread_([this] { run(); }) {}

void Writer::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (!broken_ && anchored_.sequence > 0) {
    if (auto synced = anchor_.sync(); !synced) spdlog::error("{}", synced.error().message);
  }
}

void Writer::enqueue(std::unique_ptr<Operation> operation) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(operation));
  }
  wake_.notify_one();
}

bool Writer::take() {
  std::unique_lock lock(mutex_);
  const auto woken = [this] { return stopping_ || !queue_.empty() || !taken_.empty(); };
  bool renew = false;
  if (lease_ == nullptr) {
    wake_.wait(lock, woken);
  } else {
    renew = !wake_.wait_for(lock, lease_->renewal_interval(), woken);
  }
  for (auto& operation : queue_) taken_.push_back(std::move(operation));
  queue_.clear();
  return renew || !taken_.empty();
}

/// Takes the lease for this group, or renews it, and ends what gateways that died have left open.
Result<> Writer::keep_lease() {
  if (lease_ == nullptr) return {};
  const bool renewed = TRY(lease_->keep(*store_));
  books_.hold_as(lease_->name());
  if (!renewed) return {};
  if (lease_->may_end_others()) TRY(store_->end_lapsed_leases());
  seals_ = TRY(books_.leads());
  TRY(books_.recover(TRY(store_->leases()), kRecoverAtOnce));
  return {};
}

void Writer::pause() {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, kLockedPause, [this] { return stopping_; });
}

void Writer::run() {
  while (take()) {
    Group group;
    if (broken_) {
      for (auto& operation : taken_) group.push_back(std::move(operation));
      taken_.clear();
    } else if (auto committed = commit_group(group); !committed) {
      for (auto& operation : group) operation->finish(&committed.error());
      if (!taken_.empty()) pause();
      continue;
    } else {
      for (auto& operation : group) operation->finish(nullptr);
      after_commit();
      continue;
    }
    for (auto& operation : group) operation->finish(&*broken_);
  }
}

Result<> Writer::read_ahead() {
  std::vector<std::string> rows;
  for (const auto& operation : taken_) {
    std::ranges::move(operation->rows, std::back_inserter(rows));
    operation->rows.clear();
  }
  return rows.empty() ? Result<>() : state_.expect(std::move(rows));
}

Result<> Writer::apply_queued(Group& group) {
  TRY(read_ahead());
  const auto deadline = std::chrono::steady_clock::now() + group_wait_;
  while (group.size() < kGroupMax) {
    if (taken_.empty()) {
      if (std::chrono::steady_clock::now() >= deadline) break;
      std::unique_lock lock(mutex_);
      taken_.swap(queue_);
      if (taken_.empty()) break;
      lock.unlock();
      TRY(read_ahead());
    }
    group.push_back(std::move(taken_.front()));
    taken_.pop_front();
    const ChainHead before = state_.head();
    books_.attempt();
    const bool applied = group.back()->apply(books_);
    if (store_->failure()) return std::unexpected(*store_->failure());
    if (applied) continue;
    // Where it failed half-way because the way to the database broke, the whole group comes to nothing.
    if (state_.head() != before) TRY(store_->get(""));
    books_.undo();
  }
  return {};
}

Result<> Writer::write_group(Group& group) {
  TRY(books_.begin(clock_.wall()));
  TRY(keep_lease());
  TRY(apply_queued(group));
  TRY(state_.flush());
  const auto packed = sealer_ ? sealer_->take() : std::nullopt;
  if (packed) TRY(swap_in(*store_, *packed));
  return {};
}

Result<> Writer::commit_group(Group& group) {
  auto done = store_->begin(Store::Access::kWrite);
  const bool begun = done.has_value();
  if (done) done = write_group(group);
  if (done) done = store_->commit();
  if (done) {
    if (lease_) lease_->committed();
    anchored_ = state_.head();
    if (anchored_.sequence > 0) {
      if (auto moved = anchor_.write(anchored_); !moved) stop_taking_money(moved.error());
    }
    return {};
  }
  const bool away = done.error().code == ErrorCode::kUnavailable && !store_->failure();
  if (!away) stop_taking_money(done.error());
  if (begun) store_->rollback();
  state_.forget();
  give_up(group, !broken_);
  return fail(ErrorCode::kUnavailable, "the ledger could not write: {}", done.error().message);
}

void Writer::give_up(Group& group, bool locked) {
  bool wait = locked;
  if (locked) {
    const std::lock_guard lock(mutex_);
    wait = !stopping_;
  }
  for (auto& operation : taken_) group.push_back(std::move(operation));
  taken_.clear();
  const auto waits = [wait](const auto& operation) {
    return wait && operation->when_locked == WhenLocked::kWait;
  };
  Group failing;
  for (auto& operation : group) {
    if (waits(operation)) {
      taken_.push_back(std::move(operation));
    } else {
      failing.push_back(std::move(operation));
    }
  }
  group.swap(failing);
}

void Writer::after_commit() {
  if (broken_) return;
  if (auto kept = store_->maintain(); !kept) return stop_taking_money(kept.error());
  if (sealer_ && seals_) sealer_->look(anchored_.sequence);
  const auto now = std::chrono::steady_clock::now();
  if (now - anchor_synced_ < kAnchorSyncEvery) return;
  anchor_synced_ = now;
  if (auto synced = anchor_.sync(); !synced) stop_taking_money(synced.error());
}

void Writer::stop_taking_money(const Error& cause) {
  spdlog::critical("the ledger takes no more money: {}", cause.message);
  broken_ =
      Error{ErrorCode::kUnavailable,
            "the ledger stopped taking money after a failed write; restart when the disk is well again"};
  healthy_ = false;
  store_->abandon();
}

}  // namespace feilun::ledger
