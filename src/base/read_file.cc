#include "base/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace feilun {

Result<std::string> read_file(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "cannot open {}: {}", path.string(),
                std::strerror(errno));
  }
  std::string bytes;
  std::array<char, 1 << 16> piece;
  ssize_t size = 0;
  while ((size = read(file, piece.data(), piece.size())) > 0 || (size < 0 && errno == EINTR)) {
    if (size > 0) bytes.append(piece.data(), static_cast<size_t>(size));
  }
  const int reason = errno;
  close(file);
  if (size < 0) return fail(ErrorCode::kIo, "cannot read {}: {}", path.string(), std::strerror(reason));
  return bytes;
}

}  // namespace feilun
