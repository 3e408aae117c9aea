#include "model/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace feilun::model {
namespace {

constexpr size_t kWorthReadingAhead = size_t{16} << 20;
constexpr size_t kReadAhead = size_t{512} << 20;
constexpr size_t kReadAtOnce = size_t{4} << 20;

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    const ErrorCode code = errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo;
    return fail(code, "cannot open {}: {}", path.string(), std::strerror(errno));
  }
  struct stat status = {};
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(file);
    return fail(ErrorCode::kIo, "{} is not a regular file", path.string());
  }
  const size_t size = static_cast<size_t>(status.st_size);
  void* data = nullptr;
  if (size > 0) data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  const int reason = errno;
  ::close(file);
  if (data == MAP_FAILED) {
    return fail(ErrorCode::kIo, "cannot map {}: {}", path.string(), std::strerror(reason));
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(static_cast<const std::byte*>(data), size));
}

MappedFile::MappedFile(const std::byte* data, size_t size) : data_(data), size_(size) {
  if (size_ < kWorthReadingAhead) return;
  ahead_ = std::jthread([this](const std::stop_token& stop) { read_ahead(stop); });
}

MappedFile::~MappedFile() {
  ahead_ = {};
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::read_ahead(const std::stop_token& stop) const {
  const size_t end = std::min(size_, kReadAhead);
  for (size_t at = 0; at < end && !stop.stop_requested(); at += kReadAtOnce) {
    auto* piece = const_cast<std::byte*>(data_) + at;
    // A file that was cut short meanwhile, or a system that does not know the call: whoever needs the bytes
    // will see.
    if (::madvise(piece, std::min(kReadAtOnce, end - at), MADV_POPULATE_READ) != 0) return;
  }
}

void MappedFile::release(std::span<const std::byte> part) const {
  if (part.empty() || part.data() < data_ || part.data() + part.size() > data_ + size_) return;
  const uintptr_t page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const uintptr_t end = reinterpret_cast<uintptr_t>(part.data() + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

Result<std::string> read_text_file(const std::filesystem::path& path, size_t bytes_max) {
  const auto file = TRY(MappedFile::open(path));
  const auto bytes = file->bytes();
  if (bytes.size() > bytes_max) {
    return fail(ErrorCode::kCorrupt, "{} is larger than {} bytes", path.string(), bytes_max);
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace feilun::model
