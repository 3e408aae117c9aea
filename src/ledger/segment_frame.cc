#include "ledger/segment_frame.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "base/check.h"
#include "ledger/fields.h"

namespace feilun::ledger {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kTimeDigits = 10;
constexpr size_t kIdDigits = 26;
constexpr size_t kRandomBytes = 10;
constexpr int64_t kNoId = 0;
constexpr int64_t kNewId = 1;
constexpr int64_t kKnownIds = 2;

std::unexpected<Error> damaged() {
  return fail(ErrorCode::kCorrupt, "a frame of a journal segment is damaged");
}

int64_t digit(char c) {
  static const auto values = [] {
    std::array<int8_t, 256> table;
    table.fill(-1);
    for (size_t i = 0; i < kAlphabet.size(); ++i) {
      table[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
    }
    return table;
  }();
  return values[static_cast<uint8_t>(c)];
}

/// The digits of an id at the beginning of `text`; empty when there is none.
std::string_view id_at(std::string_view text) {
  if (text.size() < kIdDigits) return {};
  const std::string_view digits = text.substr(0, kIdDigits);
  return std::ranges::all_of(digits, [](char c) { return digit(c) >= 0; }) ? digits : std::string_view();
}

/// Small numbers for small differences of either sign, |difference| < 2⁶².
int64_t zigzag(int64_t difference) {
  return difference >= 0 ? difference * 2 : -difference * 2 - 1;
}
int64_t from_zigzag(int64_t value) {
  return value % 2 == 0 ? value / 2 : -(value / 2) - 1;
}

/// The ids that a frame has named so far, and their column.
class IdWriter {
 public:
  int64_t reference(std::string_view digits) {
    const auto [known, is_new] = known_.try_emplace(digits, static_cast<int64_t>(known_.size()));
    if (!is_new) return kKnownIds + known->second;
    int64_t time = 0;
    for (const char c : digits.substr(0, kTimeDigits)) time = time << 5 | digit(c);
    column.number(zigzag(time - last_time_));
    last_time_ = time;
    uint64_t bits = 0;
    int held = 0;
    for (const char c : digits.substr(kTimeDigits)) {
      bits = bits << 5 | static_cast<uint64_t>(digit(c));
      held += 5;
      if (held >= 8) column.byte(static_cast<uint8_t>(bits >> (held -= 8)));
    }
    return kNewId;
  }
  FieldWriter column;

 private:
  std::unordered_map<std::string_view, int64_t> known_;
  int64_t last_time_ = 0;
};

struct KindColumns {
  FieldWriter refs;
  FieldWriter text;
};

void put_payload(std::string_view payload, KindColumns& columns, IdWriter& ids) {
  while (!payload.empty()) {
    const size_t until = std::min(payload.find('_'), payload.size() - 1) + 1;
    columns.text.raw(payload.substr(0, until));
    const bool marked = payload[until - 1] == '_';
    payload.remove_prefix(until);
    if (!marked) continue;
    const std::string_view digits = id_at(payload);
    columns.refs.number(digits.empty() ? kNoId : ids.reference(digits));
    payload.remove_prefix(digits.size());
  }
}

/// The same from the other side.
class IdReader {
 public:
  explicit IdReader(std::string_view column) : column_(column) {}

  /// Appends the digits that `reference` means; false when it means none.
  bool append(int64_t reference, std::string& out) {
    if (reference == kNoId) return true;
    if (reference == kNewId && !read_next()) return false;
    const size_t index = reference == kNewId ? known_.size() - 1 : static_cast<size_t>(reference - kKnownIds);
    if (index >= known_.size()) return false;
    out.append(known_[index].data(), kIdDigits);
    return true;
  }
  bool at_end() const { return column_.ok() && column_.at_end(); }

 private:
  bool read_next() {
    const int64_t difference = from_zigzag(column_.number());
    const std::string_view random = column_.raw(kRandomBytes);
    if (!column_.ok() || difference < -last_time_ || difference >= kTimeEnd - last_time_) return false;
    last_time_ += difference;
    std::array<char, kIdDigits>& digits = known_.emplace_back();
    for (size_t i = 0; i < kTimeDigits; ++i) {
      digits[i] = kAlphabet[static_cast<size_t>(last_time_ >> 5 * (kTimeDigits - 1 - i) & 31)];
    }
    uint64_t bits = 0;
    int held = 0;
    size_t at = kTimeDigits;
    for (const char byte : random) {
      bits = bits << 8 | static_cast<uint8_t>(byte);
      for (held += 8; held >= 5; ++at) digits[at] = kAlphabet[bits >> (held -= 5) & 31];
    }
    return true;
  }

  static constexpr int64_t kTimeEnd = int64_t{1} << 5 * kTimeDigits;
  FieldReader column_;
  std::vector<std::array<char, kIdDigits>> known_;
  int64_t last_time_ = 0;
};

struct KindReader {
  bool known = false;
  FieldReader refs{{}};
  std::string_view text;
};

/// Appends to the payload until it has its size; false when the columns do not allow that.
bool get_payload(size_t size, KindReader& kind, IdReader& ids, std::string& payload) {
  while (payload.size() < size) {
    const size_t wanted = std::min(size - payload.size(), kind.text.size());
    if (wanted == 0) return false;
    const size_t until = std::min(kind.text.substr(0, wanted).find('_'), wanted - 1) + 1;
    payload += kind.text.substr(0, until);
    kind.text.remove_prefix(until);
    if (payload.back() != '_') continue;
    const int64_t reference = kind.refs.number();
    if (!kind.refs.ok() || !ids.append(reference, payload)) return false;
  }
  return payload.size() == size;
}

/// The columns of an unpacked frame.
struct FrameReader {
  FieldReader heads{{}};
  IdReader ids{{}};
  std::array<KindReader, 256> kinds;

  /// False when they are not what they say.
  bool read(std::string_view bytes) {
    FieldReader frame(bytes);
    struct Sizes {
      uint8_t kind;
      size_t refs;
      size_t text;
    };
    std::vector<Sizes> sizes;
    const int64_t count = frame.number();
    for (int64_t i = 0; i < count && frame.ok() && i < 256; ++i) {
      const uint8_t kind = frame.byte();
      const auto refs = static_cast<size_t>(frame.number());
      sizes.push_back({kind, refs, static_cast<size_t>(frame.number())});
    }
    const auto heads_size = static_cast<size_t>(frame.number());
    const auto ids_size = static_cast<size_t>(frame.number());
    heads = FieldReader(frame.raw(heads_size));
    ids = IdReader(frame.raw(ids_size));
    for (const Sizes& of : sizes) {
      KindReader& kind = kinds[of.kind];
      if (kind.known) return false;
      kind.known = true;
      kind.refs = FieldReader(frame.raw(of.refs));
      kind.text = frame.raw(of.text);
    }
    return count <= 256 && frame.ok() && frame.at_end();
  }

  bool at_end() const {
    return heads.ok() && heads.at_end() && ids.at_end() &&
           std::ranges::all_of(kinds, [](const KindReader& kind) {
             return kind.refs.ok() && kind.refs.at_end() && kind.text.empty();
           });
  }
};

}  // namespace

std::string pack_frame(std::span<const JournalRow> rows) {
  FieldWriter heads;
  IdWriter ids;
  std::map<uint8_t, KindColumns> kinds;
  int64_t last_time = 0;
  for (const JournalRow& row : rows) {
    const int64_t time = row.time.time_since_epoch().count();
    CHECK(in_frame_range(row.time));
    heads.number(zigzag(time - last_time));
    last_time = time;
    heads.number(static_cast<int64_t>(row.payload.size()));
    if (row.payload.empty()) continue;
    const auto kind = static_cast<uint8_t>(row.payload[0]);
    heads.byte(kind);
    put_payload(std::string_view(row.payload).substr(1), kinds[kind], ids);
  }
  FieldWriter frame;
  frame.number(static_cast<int64_t>(kinds.size()));
  for (const auto& [kind, columns] : kinds) {
    frame.byte(kind).number(std::ssize(columns.refs.bytes())).number(std::ssize(columns.text.bytes()));
  }
  frame.number(std::ssize(heads.bytes())).number(std::ssize(ids.column.bytes()));
  frame.raw(heads.bytes()).raw(ids.column.bytes());
  for (const auto& [kind, columns] : kinds) frame.raw(columns.refs.bytes()).raw(columns.text.bytes());
  return frame.take();
}

Result<std::vector<JournalRow>> unpack_frame(std::string_view bytes, size_t count) {
  FrameReader frame;
  if (count > kFrameEntriesMax || bytes.size() > kFrameBytesMax || !frame.read(bytes)) return damaged();
  std::vector<JournalRow> rows;
  int64_t time = 0;
  size_t left = kFrameBytesMax;
  for (size_t i = 0; i < count; ++i) {
    const int64_t difference = from_zigzag(frame.heads.number());
    const auto size = static_cast<size_t>(frame.heads.number());
    if (!frame.heads.ok() || __builtin_add_overflow(time, difference, &time) || size > left) return damaged();
    left -= size;
    JournalRow& row = rows.emplace_back();
    row.time = WallTime(std::chrono::microseconds(time));
    if (!in_frame_range(row.time)) return damaged();
    if (size == 0) continue;
    const uint8_t kind = frame.heads.byte();
    row.payload.push_back(static_cast<char>(kind));
    if (!get_payload(size, frame.kinds[kind], frame.ids, row.payload)) return damaged();
  }
  if (!frame.at_end()) return damaged();
  return rows;
}

}  // namespace feilun::ledger
