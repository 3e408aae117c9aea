#include "tests/crash/file_faults.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <optional>

namespace feilun::crash {
namespace {

constexpr int64_t kNever = -1;

std::atomic<FileFault> armed_fault{};
std::atomic<int64_t> left{kNever};
std::atomic<bool> struck{false};
std::atomic<bool> full{false};  ///< every write fails from now on

enum class Change { kWrite, kSync, kOther };

bool is_regular(int file) {
  struct stat status{};
  return fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

bool concerns(FileFault fault, Change change) {
  switch (fault) {
    case FileFault::kShortWrite:
      return change == Change::kWrite;
    case FileFault::kFailedSync:
      return change == Change::kSync;
    case FileFault::kFullDisk:
      return change != Change::kSync;
    case FileFault::kKill:
      return true;
  }
  return false;
}

/// The fault, if this change is the one.
std::optional<FileFault> fault_of(Change change) {
  const FileFault fault = armed_fault;
  if (left < 0 || !concerns(fault, change) || left.fetch_sub(1) != 1) return std::nullopt;
  left = kNever;
  struck = true;
  full = fault == FileFault::kFullDisk || fault == FileFault::kShortWrite;
  if (fault == FileFault::kKill) kill(getpid(), SIGKILL);
  return fault;
}

/// How much of a write is done; none when it fails.
std::optional<size_t> allowed(int file, size_t size) {
  if (left < 0 && !full) return size;
  if (!is_regular(file)) return size;
  const bool was_full = full;
  const auto fault = was_full ? std::nullopt : fault_of(Change::kWrite);
  if (fault == FileFault::kShortWrite && size > 1) return size / 2;
  if (!was_full && !fault) return size;
  errno = ENOSPC;
  return std::nullopt;
}

/// 0, or an error with which it fails.
int refusal_of(Change change) {
  const auto fault = left < 0 ? std::nullopt : fault_of(change);
  if (!fault) return 0;
  return change == Change::kSync ? EIO : ENOSPC;
}

int done(long result) {
  return static_cast<int>(result);
}

int refused(int error) {
  errno = error;
  return -1;
}

ssize_t write_at(int file, const void* bytes, size_t size, off_t at) {
  const auto part = allowed(file, size);
  return part ? syscall(SYS_pwrite64, file, bytes, *part, at) : -1;
}

int cut(int file, off_t size) {
  const int error = refusal_of(Change::kOther);
  return error != 0 ? refused(error) : done(syscall(SYS_ftruncate, file, size));
}

}  // namespace

void arm_files(FileFault fault, int64_t nth) {
  armed_fault = fault;
  struck = false;
  full = false;
  left = nth;
}

bool file_fault_struck() {
  return struck;
}

}  // namespace feilun::crash

// The system's own names. They go to the kernel by themselves, so that nothing is asked of who was replaced.
extern "C" {

using namespace feilun::crash;

ssize_t write(int file, const void* bytes, size_t size) {
  const auto part = allowed(file, size);
  return part ? syscall(SYS_write, file, bytes, *part) : -1;
}

ssize_t writev(int file, const iovec* parts, int count) {
  // Half of the first part is as short a write as any.
  const auto part = allowed(file, count > 0 ? parts[0].iov_len : 0);
  if (!part) return -1;
  if (count > 0 && *part < parts[0].iov_len) return syscall(SYS_write, file, parts[0].iov_base, *part);
  return syscall(SYS_writev, file, parts, count);
}

ssize_t pwrite(int file, const void* bytes, size_t size, off_t at) {
  return write_at(file, bytes, size, at);
}
ssize_t pwrite64(int file, const void* bytes, size_t size, off64_t at) {
  return write_at(file, bytes, size, at);
}

int ftruncate(int file, off_t size) noexcept {
  return cut(file, size);
}
int ftruncate64(int file, off64_t size) noexcept {
  return cut(file, size);
}

int fsync(int file) {
  const int error = refusal_of(Change::kSync);
  return error != 0 ? refused(error) : done(syscall(SYS_fsync, file));
}
int fdatasync(int file) {
  const int error = refusal_of(Change::kSync);
  return error != 0 ? refused(error) : done(syscall(SYS_fdatasync, file));
}

int rename(const char* from, const char* to) noexcept {
  const int error = refusal_of(Change::kOther);
  return error != 0 ? refused(error) : done(syscall(SYS_rename, from, to));
}
int unlink(const char* path) noexcept {
  const int error = refusal_of(Change::kOther);
  return error != 0 ? refused(error) : done(syscall(SYS_unlink, path));
}
}
