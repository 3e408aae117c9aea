#include "ledger/sync_path.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace feilun::ledger {

Result<> sync_path(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && fsync(file) == 0;
  const int error = errno;
  if (file >= 0) close(file);
  if (synced) return {};
  return fail(ErrorCode::kIo, "cannot sync {}: {}", path.string(), std::strerror(error));
}

}  // namespace feilun::ledger
