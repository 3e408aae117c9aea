#include "ledger/anchor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace feilun::ledger {
namespace {

constexpr size_t kSlotBytes = 64;
constexpr std::string_view kMagic = "fllgank1";
constexpr size_t kHashAt = 16;
constexpr size_t kCheckAt = 48;
using Slot = std::array<char, kSlotBytes>;

std::unexpected<Error> io_error(const char* doing) {
  return fail(ErrorCode::kIo, "ledger.anchor: {} failed: {}", doing, std::strerror(errno));
}

/// Magic, sequence big-endian, hash, then the first 16 bytes of BLAKE2b-256 over all that.
Slot slot_of(const ChainHead& head) {
  Slot slot;
  std::memcpy(slot.data(), kMagic.data(), kMagic.size());
  for (size_t i = 0; i < 8; ++i) {
    slot[8 + i] = static_cast<char>(static_cast<uint64_t>(head.sequence) >> (8 * (7 - i)));
  }
  std::memcpy(&slot[kHashAt], head.hash.data(), head.hash.size());
  const Hash check = blake2b_256({slot.data(), kCheckAt});
  std::memcpy(&slot[kCheckAt], check.data(), kSlotBytes - kCheckAt);
  return slot;
}

std::optional<ChainHead> head_of(const Slot& slot) {
  ChainHead head;
  uint64_t sequence = 0;
  for (size_t i = 0; i < 8; ++i) sequence = sequence << 8 | static_cast<uint8_t>(slot[8 + i]);
  head.sequence = static_cast<int64_t>(sequence);
  std::memcpy(head.hash.data(), &slot[kHashAt], head.hash.size());
  if (head.sequence <= 0 || slot_of(head) != slot) return std::nullopt;
  return head;
}

struct Slots {
  std::array<std::optional<ChainHead>, 2> heads;
  bool empty = true;
  int newest() const {
    if (!heads[1]) return 0;
    return heads[0] && heads[0]->sequence >= heads[1]->sequence ? 0 : 1;
  }
};

Result<Slots> read_slots(int file) {
  Slots slots;
  for (int i = 0; i < 2; ++i) {
    Slot slot;
    const ssize_t got = pread(file, slot.data(), slot.size(), i * static_cast<off_t>(kSlotBytes));
    if (got < 0) return io_error("reading");
    if (got > 0) slots.empty = false;
    if (got == static_cast<ssize_t>(slot.size())) slots.heads[i] = head_of(slot);
  }
  return slots;
}

/// Holds the file's lock for a scope.
class FileLock {
 public:
  explicit FileLock(int file) : file_(file) {
    while (flock(file_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() { flock(file_, LOCK_UN); }

 private:
  int file_;
};

}  // namespace

Result<Anchor> Anchor::open(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return io_error("opening");
  return Anchor(file);
}

Anchor::Anchor(Anchor&& other) noexcept : file_(std::exchange(other.file_, -1)), written_(other.written_) {}

Anchor::~Anchor() {
  if (file_ >= 0) close(file_);
}

Result<ChainHead> Anchor::read() {
  const FileLock lock(file_);
  const Slots slots = TRY(read_slots(file_));
  const auto& newest = slots.heads[slots.newest()];
  if (newest) return *newest;
  if (!slots.empty) return fail(ErrorCode::kCorrupt, "ledger.anchor is damaged");
  return ChainHead{};
}

Result<> Anchor::write(const ChainHead& head) {
  if (head.sequence <= written_.sequence) return {};
  const FileLock lock(file_);
  const Slots slots = TRY(read_slots(file_));
  const int newest = slots.newest();
  if (slots.heads[newest] && slots.heads[newest]->sequence >= head.sequence) return {};
  const int older = slots.heads[newest] ? 1 - newest : newest;
  const Slot slot = slot_of(head);
  const ssize_t put = pwrite(file_, slot.data(), slot.size(), older * static_cast<off_t>(kSlotBytes));
  if (put != static_cast<ssize_t>(slot.size())) return io_error("writing");
  written_ = head;
  return {};
}

Result<> Anchor::sync() {
  if (fdatasync(file_) != 0) return io_error("syncing");
  return {};
}

}  // namespace feilun::ledger
