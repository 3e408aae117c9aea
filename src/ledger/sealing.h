#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/result.h"
#include "ledger/store.h"

// The journal's oldest entries are packed away in runs. Packing a run takes a processor for tens of
// milliseconds, putting it in the place of its entries takes two or three: so a thread of its own reads the
// committed rows over a connection of its own and packs them, and the writer swaps the result in with the
// next group that it commits. A crash between the two leaves the rows, which are packed again.

namespace feilun::ledger {

/// The journal is packed in runs of `run`, as long as `kept` newer entries stay as rows.
struct SealingOptions {
  int64_t run = 8192;
  int64_t kept = 16384;
};

/// Puts a packed run in the place of its entries, inside a write transaction. False when another gateway did
/// so before.
Result<bool> swap_in(Store& store, const Segment& segment);
/// Packs the oldest run of entries that are rows and swaps it in, in one write transaction. False when there
/// are not enough behind it.
Result<bool> seal_oldest(Store& store, const SealingOptions& options = {});

/// Packs runs on a thread of its own, one ahead. Its methods are the writer's.
class Sealer {
 public:
  /// `reader`: a connection that nobody else uses.
  explicit Sealer(std::unique_ptr<Store> reader, const SealingOptions& options = {});
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;
  ~Sealer();

  /// The journal has so many entries now. Never waits.
  void look(int64_t entries);
  /// The next run, if it is packed. It is packed again unless it was swapped in when look() is called next.
  std::optional<Segment> take();

 private:
  void run();
  Result<std::optional<Segment>> prepare();

  std::unique_ptr<Store> reader_;
  SealingOptions options_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool asked_ = false;  ///< until it is packed, or nothing was found to pack
  bool stopping_ = false;
  int64_t due_ = 0;  ///< how many entries there must be before it is worth looking again
  std::optional<Segment> ready_;
  std::thread thread_;
};

}  // namespace feilun::ledger
