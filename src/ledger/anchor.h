#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/journal.h"

namespace feilun::ledger {

/// The file ledger.anchor beside the database: the last committed entry's sequence and hash, so that a
/// database whose tail was cut off (a restored backup, a lying disk, a hand) is noticed.
///
/// Two slots of 64 bytes are overwritten in turn, so that a torn write leaves the other one whole; the slot
/// with the higher sequence counts. Processes that share a ledger take a lock on the file and never move it
/// back. Used by one thread at a time.
class Anchor {
 public:
  static Result<Anchor> open(const std::filesystem::path& path);
  Anchor(Anchor&& other) noexcept;
  Anchor& operator=(Anchor&&) = delete;
  ~Anchor();

  /// Sequence 0 when nothing was ever anchored. kCorrupt when both slots are damaged.
  Result<ChainHead> read();
  /// `head` must be durable already.
  Result<> write(const ChainHead& head);
  Result<> sync();

 private:
  explicit Anchor(int file) : file_(file) {}
  int file_;
  ChainHead written_;
};

}  // namespace feilun::ledger
