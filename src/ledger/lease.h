#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// Where several gateways share a database: one gateway's right to what it has set aside. A hold names the
/// lease under which it was made. Each gateway renews its lease in the write transactions that it has anyway;
/// one that lets it run out is taken for dead, and any other ends its holds at their last marks, which frees
/// the rest. Should it come back, its settles find their requests ended, and it goes on under a new lease.
///
/// A database that was away lets every lease run out, of whoever is alive, too. So a gateway ends what others
/// have left only once it was itself in touch with the database for as long as a lease lasts: by then each
/// that lives has renewed its own.
///
/// It counts by the machine's own monotonic clock from before it asked, and a little less, so it stops
/// earlier than the others, who count by the database's clock from after.
///
/// Used by the writer's thread; ends() by any.
class Lease {
 public:
  /// `file` remembers the name across a crash: whoever holds the directory knows its last lease is a dead
  /// one.
  Lease(std::filesystem::path file, std::chrono::milliseconds lasts, const Clock& clock);

  /// At the beginning of a write transaction: takes the lease, or renews it when a quarter of it has passed.
  /// False when there was nothing to do.
  Result<bool> keep(Store& store);
  /// At the same moment: whether a lease that has run out is one whose gateway could have renewed it.
  bool may_end_others() const;
  /// The transaction of the last keep() was committed.
  void committed();
  /// "lease_…", what new holds are made under; empty before the first keep().
  const std::string& name() const { return name_; }
  /// Until when the holds made under it are sure to be there. MonoTime::min() before the first renewal.
  MonoTime ends() const { return ends_; }
  std::chrono::milliseconds renewal_interval() const { return lasts_ / 4; }

 private:
  Result<bool> take(Store& store);
  /// Whether the database was, or may have been, away since the last renewal.
  bool lost_touch() const { return asked_ - renewed_ > lasts_ / 2; }

  std::filesystem::path file_;
  std::chrono::milliseconds lasts_;
  const Clock& clock_;
  std::string name_;
  MonoTime asked_{};    ///< before the last renewal was asked for
  MonoTime renewed_{};  ///< `asked_` of the last one committed
  MonoTime in_touch_since_ = MonoTime::max();
  std::atomic<MonoTime> ends_{MonoTime::min()};
};

}  // namespace feilun::ledger
