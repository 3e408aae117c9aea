#include "tests/crash/lossy_vfs.h"

#include <signal.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>

// Each path has one overlay of 4 KiB blocks that were written and not synced. A file without such blocks is
// passed straight through to the real VFS, so that what another process appends is seen at once.

namespace feilun::crash {
namespace {

constexpr int64_t kBlock = 4096;
using Block = std::array<char, kBlock>;

struct Overlay {
  std::mutex mutex;
  bool dirty = false;
  int64_t size = 0;                 ///< as this process sees the file; while dirty
  int64_t real_valid = 0;           ///< bytes of the real file that still count; while dirty
  std::map<int64_t, Block> blocks;  ///< by offset
};

struct LossyFile {
  sqlite3_file base;
  std::shared_ptr<Overlay> overlay;
  sqlite3_file* real;
  bool is_database;
};

/// The one fault that is to come.
struct Trap {
  std::atomic<Fault> fault{};
  std::atomic<int64_t> left{-1};
  std::atomic<int64_t> syncs_since{-1};

  /// Whether this operation, which may meet `one` or `other`, is the one.
  bool strikes(Fault one, Fault other) {
    if (left < 0 || (fault != one && fault != other) || left.fetch_sub(1) != 1) return false;
    left = -1;
    syncs_since = 0;
    return true;
  }
};

Trap trap;
sqlite3_vfs* real_vfs = nullptr;
std::mutex registry_mutex;
std::map<std::string, std::shared_ptr<Overlay>>& registry() {
  static auto* overlays = new std::map<std::string, std::shared_ptr<Overlay>>;
  return *overlays;
}

LossyFile* self(sqlite3_file* file) {
  return reinterpret_cast<LossyFile*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
  return self(file)->real;
}
const sqlite3_io_methods& real_methods(sqlite3_file* file) {
  return *real(file)->pMethods;
}

int begin_changes(LossyFile* file) {
  Overlay& overlay = *file->overlay;
  if (overlay.dirty) return SQLITE_OK;
  sqlite3_int64 size = 0;
  const int code = file->real->pMethods->xFileSize(file->real, &size);
  if (code != SQLITE_OK) return code;
  overlay.dirty = true;
  overlay.size = overlay.real_valid = size;
  return SQLITE_OK;
}

/// The block as it is seen now.
int load_block(LossyFile* file, int64_t offset, Block& block) {
  const Overlay& overlay = *file->overlay;
  const auto kept = overlay.blocks.find(offset);
  if (kept != overlay.blocks.end()) {
    block = kept->second;
    return SQLITE_OK;
  }
  block.fill(0);
  const int64_t valid = std::min(kBlock, overlay.real_valid - offset);
  if (valid <= 0) return SQLITE_OK;
  return file->real->pMethods->xRead(file->real, block.data(), static_cast<int>(valid), offset);
}

int lossy_read(sqlite3_file* base, void* into, int amount, sqlite3_int64 offset) {
  LossyFile* file = self(base);
  Overlay& overlay = *file->overlay;
  const std::lock_guard lock(overlay.mutex);
  if (!overlay.dirty) return real_methods(base).xRead(file->real, into, amount, offset);
  char* out = static_cast<char*>(into);
  std::memset(out, 0, static_cast<size_t>(amount));
  const int64_t end = std::min<int64_t>(offset + amount, overlay.size);
  for (int64_t at = offset; at < end;) {
    const int64_t start = at / kBlock * kBlock;
    const int64_t stop = std::min(start + kBlock, end);
    Block block;
    const int code = load_block(file, start, block);
    if (code != SQLITE_OK) return code;
    std::memcpy(out + (at - offset), &block[static_cast<size_t>(at - start)], static_cast<size_t>(stop - at));
    at = stop;
  }
  return end < offset + amount ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

int write_blocks(LossyFile* file, const void* from, int amount, sqlite3_int64 offset) {
  Overlay& overlay = *file->overlay;
  if (const int code = begin_changes(file); code != SQLITE_OK) return code;
  const char* bytes = static_cast<const char*>(from);
  const int64_t end = offset + amount;
  for (int64_t at = offset; at < end;) {
    const int64_t start = at / kBlock * kBlock;
    const int64_t stop = std::min(start + kBlock, end);
    Block block;
    if (const int code = load_block(file, start, block); code != SQLITE_OK) return code;
    std::memcpy(&block[static_cast<size_t>(at - start)], bytes + (at - offset),
                static_cast<size_t>(stop - at));
    overlay.blocks[start] = block;
    at = stop;
  }
  overlay.size = std::max(overlay.size, end);
  return SQLITE_OK;
}

/// Writes the file's unsynced blocks, `every` one of so many, to the real file.
int reach_disk(LossyFile* file, int every) {
  Overlay& overlay = *file->overlay;
  const sqlite3_io_methods& methods = *file->real->pMethods;
  int code = methods.xTruncate(file->real, overlay.real_valid);
  int count = 0;
  for (auto& [offset, block] : overlay.blocks) {
    if (code != SQLITE_OK) return code;
    const auto bytes = static_cast<int>(std::min(kBlock, overlay.size - offset));
    if (count++ % every == 0) code = methods.xWrite(file->real, block.data(), bytes, offset);
  }
  return code;
}

/// What a write, or the machine at this write, dies of.
int meet_fault(LossyFile* file, const void* from, int amount, sqlite3_int64 offset) {
  const Fault fault = trap.fault;
  if (fault == Fault::kFullDisk) return SQLITE_FULL;
  if (fault == Fault::kShortWrite) {
    (void)write_blocks(file, from, amount / 2, offset);
    (void)reach_disk(file, 1);
    return SQLITE_IOERR_WRITE;
  }
  if (fault == Fault::kTornPowerLoss) {
    (void)write_blocks(file, from, amount, offset);
    (void)reach_disk(file, 2);
  }
  raise(SIGKILL);
  return SQLITE_IOERR_WRITE;
}

int lossy_write(sqlite3_file* base, const void* from, int amount, sqlite3_int64 offset) {
  LossyFile* file = self(base);
  const std::lock_guard lock(file->overlay->mutex);
  const bool strikes = trap.strikes(Fault::kFullDisk, Fault::kShortWrite) ||
                       trap.strikes(Fault::kPowerLoss, Fault::kTornPowerLoss);
  return strikes ? meet_fault(file, from, amount, offset) : write_blocks(file, from, amount, offset);
}

int lossy_truncate(sqlite3_file* base, sqlite3_int64 size) {
  LossyFile* file = self(base);
  Overlay& overlay = *file->overlay;
  const std::lock_guard lock(overlay.mutex);
  if (const int code = begin_changes(file); code != SQLITE_OK) return code;
  overlay.blocks.erase(overlay.blocks.lower_bound((size + kBlock - 1) / kBlock * kBlock),
                       overlay.blocks.end());
  const auto last = overlay.blocks.find(size / kBlock * kBlock);
  if (last != overlay.blocks.end()) std::fill(last->second.begin() + size % kBlock, last->second.end(), 0);
  overlay.real_valid = std::min<int64_t>(overlay.real_valid, size);
  overlay.size = size;
  return SQLITE_OK;
}

int lossy_sync(sqlite3_file* base, int) {
  LossyFile* file = self(base);
  Overlay& overlay = *file->overlay;
  const std::lock_guard lock(overlay.mutex);
  if (trap.syncs_since >= 0) ++trap.syncs_since;
  if (trap.strikes(Fault::kFailedSync, file->is_database ? Fault::kFailedDatabaseSync : Fault::kFailedSync)) {
    trap.syncs_since = 0;
    overlay.dirty = false;
    overlay.blocks.clear();
    return SQLITE_IOERR_FSYNC;
  }
  if (!overlay.dirty) return SQLITE_OK;
  int code = reach_disk(file, 1);
  if (code == SQLITE_OK) code = real_methods(base).xTruncate(file->real, overlay.size);
  if (code != SQLITE_OK) return code;
  overlay.dirty = false;
  overlay.blocks.clear();
  return SQLITE_OK;
}

int lossy_file_size(sqlite3_file* base, sqlite3_int64* size) {
  LossyFile* file = self(base);
  Overlay& overlay = *file->overlay;
  const std::lock_guard lock(overlay.mutex);
  if (!overlay.dirty) return real_methods(base).xFileSize(file->real, size);
  *size = overlay.size;
  return SQLITE_OK;
}

int lossy_close(sqlite3_file* base) {
  LossyFile* file = self(base);
  const int code = real_methods(base).xClose(file->real);
  std::destroy_at(&file->overlay);
  return code;
}

int lossy_control(sqlite3_file* base, int operation, void* argument) {
  if (operation == SQLITE_FCNTL_SIZE_HINT || operation == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_OK;
  if (operation == SQLITE_FCNTL_MMAP_SIZE) return SQLITE_NOTFOUND;
  return real_methods(base).xFileControl(real(base), operation, argument);
}

int lossy_lock(sqlite3_file* base, int level) {
  return real_methods(base).xLock(real(base), level);
}
int lossy_unlock(sqlite3_file* base, int level) {
  return real_methods(base).xUnlock(real(base), level);
}
int lossy_reserved(sqlite3_file* base, int* held) {
  return real_methods(base).xCheckReservedLock(real(base), held);
}
int lossy_sector(sqlite3_file* base) {
  return real_methods(base).xSectorSize(real(base));
}
int lossy_device(sqlite3_file* base) {
  return real_methods(base).xDeviceCharacteristics(real(base));
}
int lossy_shm_map(sqlite3_file* base, int page, int size, int extend, void volatile** at) {
  return real_methods(base).xShmMap(real(base), page, size, extend, at);
}
int lossy_shm_lock(sqlite3_file* base, int offset, int count, int flags) {
  return real_methods(base).xShmLock(real(base), offset, count, flags);
}
void lossy_shm_barrier(sqlite3_file* base) {
  real_methods(base).xShmBarrier(real(base));
}
int lossy_shm_unmap(sqlite3_file* base, int remove) {
  return real_methods(base).xShmUnmap(real(base), remove);
}

const sqlite3_io_methods kMethods = {
    2,
    lossy_close,
    lossy_read,
    lossy_write,
    lossy_truncate,
    lossy_sync,
    lossy_file_size,
    lossy_lock,
    lossy_unlock,
    lossy_reserved,
    lossy_control,
    lossy_sector,
    lossy_device,
    lossy_shm_map,
    lossy_shm_lock,
    lossy_shm_barrier,
    lossy_shm_unmap,
    nullptr,
    nullptr,
};

std::shared_ptr<Overlay> overlay_of(const char* path) {
  if (path == nullptr) return std::make_shared<Overlay>();
  const std::lock_guard lock(registry_mutex);
  auto& overlay = registry()[path];
  if (!overlay) overlay = std::make_shared<Overlay>();
  return overlay;
}

int lossy_open(sqlite3_vfs*, const char* path, sqlite3_file* base, int flags, int* out_flags) {
  auto* file = new (base) LossyFile{};
  file->real = reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(base) + sizeof(LossyFile));
  const int code = real_vfs->xOpen(real_vfs, path, file->real, flags, out_flags);
  if (code != SQLITE_OK) {
    std::destroy_at(&file->overlay);
    base->pMethods = nullptr;
    return code;
  }
  file->overlay = overlay_of(path);
  file->is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
  base->pMethods = &kMethods;
  return SQLITE_OK;
}

int lossy_delete(sqlite3_vfs*, const char* path, int sync_directory) {
  {
    const std::lock_guard lock(registry_mutex);
    registry().erase(path);
  }
  return real_vfs->xDelete(real_vfs, path, sync_directory);
}

}  // namespace

void install_lossy_vfs() {
  static const bool installed = [] {
    real_vfs = sqlite3_vfs_find(nullptr);
    static sqlite3_vfs lossy = *real_vfs;
    lossy.pNext = nullptr;
    lossy.zName = "lossy";
    lossy.szOsFile = static_cast<int>(sizeof(LossyFile)) + real_vfs->szOsFile;
    lossy.xOpen = lossy_open;
    lossy.xDelete = lossy_delete;
    return sqlite3_vfs_register(&lossy, 1) == SQLITE_OK;
  }();
  if (!installed) std::abort();
}

void arm(Fault fault, int64_t n) {
  trap.fault = fault;
  trap.syncs_since = -1;
  trap.left = n;
}
int64_t syncs_since_fault() {
  return trap.syncs_since;
}

}  // namespace feilun::crash
