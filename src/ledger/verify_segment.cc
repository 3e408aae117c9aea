#include "ledger/verify_segment.h"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "ledger/bytes.h"
#include "ledger/verify_fields.h"

// A segment: "fllgseg1", its first sequence, its number of frames, a line for each frame, 16 bytes of check,
// the frames. A frame keeps its entries in columns: times and sizes; ids; and for each kind its text with the
// ids taken out after every '_', and the numbers that say which id stood there. Hashes are made again along
// the chain, which proves the entries.

namespace feilun::ledger::audit {
namespace {

constexpr std::string_view kMagic = "fllgseg1";
constexpr size_t kCheckBytes = 16;
constexpr size_t kFrameBytesMax = 32 << 20;
constexpr int64_t kFrameEntriesMax = 65'536;
constexpr int64_t kTimeMax = int64_t{1} << 60;
constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr int kIdDigits = 26;
constexpr int64_t kIdTimeEnd = int64_t{1} << 50;

/// Fields off the front. Nothing is returned once something was missing; ok() tells.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : rest_(bytes) {}
  std::string_view bytes(size_t size) {
    ok_ = ok_ && size <= rest_.size();
    const std::string_view taken = ok_ ? rest_.substr(0, size) : std::string_view();
    rest_.remove_prefix(taken.size());
    return taken;
  }
  uint8_t byte() {
    const std::string_view one = bytes(1);
    return one.empty() ? 0 : static_cast<uint8_t>(one[0]);
  }
  int64_t number() {
    uint64_t value = 0;
    for (int shift = 0; shift < 63; shift += 7) {
      const uint8_t group = byte();
      value |= static_cast<uint64_t>(group & 0x7f) << shift;
      if (group < 0x80) return ok_ ? static_cast<int64_t>(value) : 0;
    }
    ok_ = false;
    return 0;
  }
  int64_t difference() {
    const int64_t value = number();
    return value % 2 == 0 ? value / 2 : -(value / 2) - 1;
  }
  std::string_view sized() { return bytes(static_cast<size_t>(number())); }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

struct Line {
  int64_t entries = 0;
  std::string_view before;
  size_t packed = 0;
  size_t unpacked = 0;
  std::string_view check;
};

std::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::kCorrupt, "it is damaged: {}", what);
}

bool has_check(std::string_view bytes, std::string_view check) {
  return check.size() == kCheckBytes && view(blake2b_256(bytes)).starts_with(check);
}

/// The ids of a frame, in the order in which they first stood.
class Ids {
 public:
  explicit Ids(std::string_view column) : column_(column) {}
  /// Appends the id that `reference` means: 0 none, 1 the next one, n + 2 the n-th.
  bool append(int64_t reference, std::string& out) {
    if (reference == 0) return true;
    if (reference == 1 && !next()) return false;
    const auto index = reference == 1 ? known_.size() - 1 : static_cast<size_t>(reference - 2);
    if (index >= known_.size()) return false;
    out += known_[index];
    return true;
  }
  bool at_end() const { return column_.at_end(); }

 private:
  bool next() {
    time_ += column_.difference();
    const std::string_view random = column_.bytes(10);
    if (!column_.ok() || time_ < 0 || time_ >= kIdTimeEnd) return false;
    // 50 bits of time and 80 of chance are 130 bits: 26 digits of 5.
    unsigned __int128 bits = 0;
    for (const char c : random) bits = bits << 8 | static_cast<uint8_t>(c);
    std::string id(kIdDigits, '0');
    for (int i = kIdDigits; i-- > 0;) {
      const bool of_time = i < 10;
      id[static_cast<size_t>(i)] = kDigits[of_time ? static_cast<size_t>(time_ >> (5 * (9 - i)) & 31)
                                                   : static_cast<size_t>(bits >> (5 * (25 - i)) & 31)];
    }
    known_.push_back(std::move(id));
    return true;
  }

  Taker column_;
  std::vector<std::string> known_;
  int64_t time_ = 0;
};

struct Columns {
  bool there = false;
  Taker refs{{}};
  std::string_view text;
};

/// Puts a payload together until it has its size.
bool read_payload_bytes(size_t size, Columns& of, Ids& ids, std::string& payload) {
  while (payload.size() < size) {
    const std::string_view most = of.text.substr(0, size - payload.size());
    if (most.empty()) return false;
    const size_t mark = most.find('_');
    const std::string_view part = most.substr(0, mark == most.npos ? most.size() : mark + 1);
    payload += part;
    of.text.remove_prefix(part.size());
    if (mark == most.npos) continue;
    const int64_t reference = of.refs.number();
    if (!of.refs.ok() || !ids.append(reference, payload)) return false;
  }
  return payload.size() == size;
}

/// Times and payloads of the entries.
Result<std::vector<StoredEntry>> read_frame(std::string_view bytes, int64_t count) {
  Taker frame(bytes);
  std::array<Columns, 256> kinds;
  std::vector<std::array<int64_t, 3>> sizes(static_cast<size_t>(std::clamp<int64_t>(frame.number(), 0, 257)));
  if (sizes.size() > kinds.size()) return damaged("too many kinds");
  for (auto& [kind, refs, text] : sizes) {
    kind = frame.byte();
    refs = frame.number();
    text = frame.number();
  }
  const auto heads_size = static_cast<size_t>(frame.number());
  const auto ids_size = static_cast<size_t>(frame.number());
  Taker heads(frame.bytes(heads_size));
  Ids ids(frame.bytes(ids_size));
  for (const auto& [kind, refs, text] : sizes) {
    Columns& of = kinds[static_cast<size_t>(kind)];
    if (std::exchange(of.there, true)) return damaged("a kind stands twice");
    of.refs = Taker(frame.bytes(static_cast<size_t>(refs)));
    of.text = frame.bytes(static_cast<size_t>(text));
  }
  if (!frame.at_end()) return damaged("a frame's columns");
  std::vector<StoredEntry> entries;
  int64_t time = 0;
  size_t left = kFrameBytesMax;
  for (int64_t i = 0; i < count; ++i) {
    const bool wraps = __builtin_add_overflow(time, heads.difference(), &time);
    const auto size = static_cast<size_t>(heads.number());
    if (!heads.ok() || wraps || time <= -kTimeMax || time >= kTimeMax || size > left)
      return damaged("a time or size");
    left -= size;
    StoredEntry& entry = entries.emplace_back(StoredEntry{.time = time});
    if (size == 0) continue;
    const uint8_t kind = heads.byte();
    entry.payload.push_back(static_cast<char>(kind));
    if (!heads.ok() || !read_payload_bytes(size, kinds[kind], ids, entry.payload))
      return damaged("a payload");
  }
  const bool all_read = heads.at_end() && ids.at_end() && std::ranges::all_of(kinds, [](const Columns& of) {
                          return of.refs.at_end() && of.text.empty();
                        });
  if (!all_read) return damaged("a frame has more than its entries");
  return entries;
}

Result<std::string> unpack(std::string_view bytes, size_t size) {
  if (size > kFrameBytesMax || ZSTD_getFrameContentSize(bytes.data(), bytes.size()) != size) {
    return damaged("a frame's size");
  }
  std::string out(size, '\0');
  if (ZSTD_decompress(out.data(), size, bytes.data(), bytes.size()) != size)
    return damaged("a frame's packing");
  return out;
}

Result<std::vector<Line>> read_index(std::string_view bytes, const StoredSegment& segment,
                                     size_t& frames_at) {
  Taker index(bytes);
  if (index.bytes(kMagic.size()) != kMagic) return damaged("it is no segment");
  if (index.number() != segment.first) return damaged("it begins elsewhere");
  const int64_t count = index.number();
  std::vector<Line> lines;
  int64_t entries = 0;
  for (int64_t i = 0; i < count && index.ok(); ++i) {
    Line& line = lines.emplace_back(Line{.entries = index.number()});
    index.bytes(16);  // the earliest and the latest time
    line.before = index.bytes(32);
    line.packed = static_cast<size_t>(index.number());
    line.unpacked = static_cast<size_t>(index.number());
    line.check = index.bytes(kCheckBytes);
    if (line.entries < 1 || line.entries > kFrameEntriesMax) return damaged("a line of its index");
    entries += line.entries;
  }
  const size_t checked = bytes.size() - index.rest().size();
  if (!has_check(bytes.substr(0, checked), index.bytes(kCheckBytes)) || !index.ok())
    return damaged("its index");
  if (entries != segment.last - segment.first + 1) return damaged("it ends elsewhere");
  frames_at = checked + kCheckBytes;
  return lines;
}

}  // namespace

Result<> read_segment(const StoredSegment& segment, const std::function<Result<>(StoredEntry)>& take) {
  if (!segment.bytes) return fail(ErrorCode::kCorrupt, "it has no bytes");
  const std::string_view bytes = *segment.bytes;
  size_t at = 0;
  const std::vector<Line> lines = TRY(read_index(bytes, segment, at));
  int64_t sequence = segment.first;
  for (const Line& line : lines) {
    if (line.packed > bytes.size() - at) return damaged("it ends too early");
    const std::string_view packed = bytes.substr(at, line.packed);
    at += line.packed;
    if (!has_check(packed, line.check)) return damaged("a frame's bytes");
    const std::string columns = TRY(unpack(packed, line.unpacked));
    std::string before(line.before);
    std::vector<StoredEntry> entries = TRY(read_frame(columns, line.entries));
    for (StoredEntry& entry : entries) {
      entry.sequence = sequence++;
      append_big_endian(before, entry.sequence);
      append_big_endian(before, entry.time);
      entry.hash = before = view(blake2b_256(before + entry.payload));
      TRY(take(std::move(entry)));
    }
  }
  if (at != bytes.size()) return damaged("bytes follow its end");
  return {};
}

}  // namespace feilun::ledger::audit
