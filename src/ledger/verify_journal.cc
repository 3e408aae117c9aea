#include "ledger/verify_journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/read_file.h"
#include "ledger/bytes.h"
#include "ledger/verify_segment.h"

namespace feilun::ledger::audit {

/// Two slots of 64 bytes: "fllgank1", sequence, hash, 16 bytes of check.
Anchors read_anchors(const std::filesystem::path& path, const Report& problem) {
  Anchors anchors;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return anchors;
  while (flock(file, LOCK_SH) != 0 && errno == EINTR) {
  }
  std::array<char, 129> bytes{};
  const ssize_t size = pread(file, bytes.data(), bytes.size(), 0);
  close(file);
  anchors.found = size > 0;
  if (size > 0 && size != 64 && size != 128) problem("ledger.anchor has an impossible size");
  for (const size_t at : {0u, 64u}) {
    const std::string_view slot(&bytes[at], 64);
    if (slot.find_first_not_of('\0') == slot.npos) continue;
    if (!slot.starts_with("fllgank1") ||
        !view(blake2b_256(slot.substr(0, 48))).starts_with(slot.substr(48))) {
      problem("a slot of ledger.anchor is damaged");
      continue;
    }
    int64_t sequence = 0;
    for (const char c : slot.substr(8, 8)) {
      sequence = static_cast<int64_t>(static_cast<uint64_t>(sequence) << 8 | static_cast<uint8_t>(c));
    }
    anchors.hashes[sequence] = slot.substr(16, 32);
  }
  return anchors;
}

void Chain::follow(const StoredEntry& entry) {
  if (entry.sequence != sequence_ + 1) {
    problem_(fmt::format("entry {}: follows entry {}: entries are missing or out of order", entry.sequence,
                         sequence_));
  }
  std::string sealed = hash_;
  append_big_endian(sealed, entry.sequence);
  append_big_endian(sealed, entry.time);
  sealed += entry.payload;
  if (view(blake2b_256(sealed)) != entry.hash) {
    problem_(fmt::format("entry {}: its hash is not of its content and the entry before", entry.sequence));
  }
  const auto anchored = anchors_.hashes.find(entry.sequence);
  if (anchored != anchors_.hashes.end() && anchored->second != entry.hash) {
    problem_(fmt::format("entry {}: is not the one ledger.anchor saw durable", entry.sequence));
  }
  sequence_ = entry.sequence;
  hash_ = entry.hash;
}

void Chain::end(bool required) {
  if (sequence_ > 0 && anchors_.hashes.empty() && (required || anchors_.found)) {
    problem_(fmt::format("ledger.anchor {}: a cut tail would go unnoticed",
                         anchors_.found ? "says nothing that is valid" : "is missing or empty"));
  }
  for (const auto& [sequence, hash] : anchors_.hashes) {
    if (sequence > 0 && sequence <= sequence_) continue;
    problem_(fmt::format("entry {}: was durable by ledger.anchor, but the journal ends at entry {}", sequence,
                         sequence_));
  }
}

namespace {

/// Its bytes, where the database has none: those of its file. Without them nothing behind it can be proved.
Result<std::string> archived_bytes(const StoredSegment& segment, const std::filesystem::path& archive) {
  std::string hash;
  for (const char byte : segment.hash.substr(0, 8)) hash += fmt::format("{:02x}", static_cast<uint8_t>(byte));
  const auto file =
      archive / fmt::format("journal-{:012}-{:012}-{}.segment", segment.first, segment.last, hash);
  auto bytes = read_file(file);
  if (bytes) return bytes;
  return fail(bytes.error().code,
              "entries {} to {} were archived, and nothing from them on can be looked at: {}; say with "
              "--archive where their file is",
              segment.first, segment.last, bytes.error().message);
}

}  // namespace

Result<> each_entry(Source& source, const std::filesystem::path& archive, const Report& problem,
                    const std::function<Result<>(StoredEntry)>& take) {
  TRY(source.segments([&](StoredSegment segment) -> Result<> {
    const std::string name = fmt::format("the segment of entries {} to {}", segment.first, segment.last);
    if (!segment.bytes) segment.bytes = TRY(archived_bytes(segment, archive));
    StoredEntry last;
    int64_t next = segment.first;
    bool in_order = true;
    auto read = read_segment(segment, [&](StoredEntry entry) -> Result<> {
      in_order = in_order && entry.sequence == next++;
      last = {.sequence = entry.sequence, .hash = entry.hash};
      return take(std::move(entry));
    });
    if (!read && read.error().code != ErrorCode::kCorrupt) return read;
    if (!read) {
      problem(name + ": " + read.error().message);
    } else if (!in_order || last.sequence != segment.last || last.hash != segment.hash) {
      problem(name + " has other entries than its row says");
    }
    return {};
  }));
  return source.entries(take);
}

}  // namespace feilun::ledger::audit
