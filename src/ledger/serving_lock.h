#pragma once

#include <filesystem>

#include "base/result.h"

namespace feilun::ledger {

/// Keeps two serving processes off one directory: a second one would settle the first one's open requests.
/// The lock is the kernel's and goes with the process, however it ends.
class ServingLock {
 public:
  ServingLock() = default;  ///< holds nothing
  /// kConflict when another process serves from this directory.
  static Result<ServingLock> take(const std::filesystem::path& directory);
  ServingLock(ServingLock&& other) noexcept;
  ServingLock& operator=(ServingLock&& other) noexcept;
  ~ServingLock();

 private:
  int file_ = -1;
};

}  // namespace feilun::ledger
