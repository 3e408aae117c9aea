#include "ledger/serving_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace feilun::ledger {

Result<ServingLock> ServingLock::take(const std::filesystem::path& directory) {
  const auto path = directory / "serving.lock";
  ServingLock lock;
  lock.file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock.file_ < 0) {
    return fail(ErrorCode::kIo, "cannot open {}: {}", path.string(), std::strerror(errno));
  }
  if (flock(lock.file_, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK)
    return fail(ErrorCode::kIo, "cannot lock {}: {}", path.string(), std::strerror(errno));
  return fail(ErrorCode::kConflict, "another feilun serves from {}: stop it first, or use another directory",
              directory.string());
}

ServingLock::ServingLock(ServingLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

ServingLock& ServingLock::operator=(ServingLock&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

ServingLock::~ServingLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace feilun::ledger
