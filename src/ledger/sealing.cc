#include "ledger/sealing.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/log.h"
#include "ledger/segment.h"

namespace feilun::ledger {
namespace {

/// Entries in order, as rows, and what they follow.
struct Run {
  ChainHead before;
  std::vector<JournalRow> rows;
};

/// The last entry that is sealed.
Result<ChainHead> last_sealed(Store& store) {
  const auto segment = TRY(store.segment_at(std::numeric_limits<int64_t>::max()));
  return segment ? ChainHead{segment->last, segment->hash} : ChainHead();
}

/// The oldest run that is not sealed, when there are enough entries behind it.
Result<std::optional<Run>> oldest_run(Store& store, const SealingOptions& options) {
  Run run{.before = TRY(last_sealed(store))};
  if (TRY(store.head()).sequence - run.before.sequence < options.run + options.kept) return std::nullopt;
  run.rows = TRY(store.entries(run.before.sequence, options.run));
  return run;
}

Result<Segment> packed(Run run) {
  SegmentWriter writer(run.before);
  for (JournalRow& row : run.rows) TRY(writer.add(std::move(row)));
  return writer.finish();
}

}  // namespace

Result<bool> swap_in(Store& store, const Segment& segment) {
  if (TRY(last_sealed(store)).sequence + 1 != segment.first) return false;
  TRY(store.seal(segment));
  return true;
}

Result<bool> seal_oldest(Store& store, const SealingOptions& options) {
  TRY(store.begin(Store::Access::kWrite));
  const auto seal = [&]() -> Result<bool> {
    auto run = TRY(oldest_run(store, options));
    return run ? swap_in(store, TRY(packed(*std::move(run)))) : false;
  };
  auto done = seal();
  if (!done || !*done) {
    store.rollback();
    return done;
  }
  TRY(store.commit());
  return true;
}

Sealer::Sealer(std::unique_ptr<Store> reader, const SealingOptions& options)
    : reader_(std::move(reader)), options_(options), thread_([this] { run(); }) {}

Sealer::~Sealer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Sealer::look(int64_t entries) {
  const std::lock_guard lock(mutex_);
  if (asked_ || ready_ || entries < due_) return;
  asked_ = true;
  due_ = entries + std::max<int64_t>(1, options_.run / 8);
  wake_.notify_one();
}

std::optional<Segment> Sealer::take() {
  const std::lock_guard lock(mutex_);
  if (ready_) due_ = 0;
  return std::exchange(ready_, std::nullopt);
}

Result<std::optional<Segment>> Sealer::prepare() {
  TRY(reader_->begin(Store::Access::kRead));
  auto run = oldest_run(*reader_, options_);
  reader_->rollback();
  if (!run) return std::unexpected(run.error());
  if (!*run) return std::nullopt;
  return TRY(packed(**std::move(run)));
}

void Sealer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return asked_ || stopping_; });
    if (stopping_) return;
    lock.unlock();
    auto prepared = prepare();
    if (!prepared) {
      spdlog::warn("the journal's oldest entries could not be packed: {}", prepared.error().message);
    }
    lock.lock();
    if (prepared) ready_ = *std::move(prepared);
    asked_ = false;
  }
}

}  // namespace feilun::ledger
