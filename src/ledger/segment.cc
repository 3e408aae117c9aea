#include "ledger/segment.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "ledger/fields.h"
#include "ledger/segment_frame.h"

namespace feilun::ledger {
namespace {

constexpr std::string_view kMagic = "fllgseg1";
constexpr size_t kCheckBytes = 16;
constexpr int kLevel = 6;
// A frame ends at the first of the two. Larger ones are a few percent smaller altogether, and slower to look
// into.
constexpr size_t kFrameEntries = 16'384;
constexpr size_t kFrameBytes = 4 << 20;

static_assert(kFrameEntries <= kFrameEntriesMax && kFrameBytes + kSealedPayloadMax < kFrameBytesMax);

std::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::kCorrupt, "a journal segment is damaged: {}", what);
}

std::string check_of(std::string_view bytes) {
  return std::string(view(blake2b_256(bytes)).substr(0, kCheckBytes));
}

std::string packed(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), kLevel);
  CHECK(ZSTD_isError(size) == 0);
  out.resize(size);
  return out;
}

Result<std::string> unpacked(std::string_view bytes, size_t size) {
  // Only now is the size believed: it is within bounds and zstd's own header says the same.
  if (ZSTD_getFrameContentSize(bytes.data(), bytes.size()) != size) return damaged("a frame's size");
  std::string out(size, '\0');
  if (ZSTD_decompress(out.data(), size, bytes.data(), bytes.size()) != size) {
    return damaged("a frame cannot be unpacked");
  }
  return out;
}

/// A line of the index; its last entry is before `first` when it cannot be.
SegmentReader::Frame read_line(int64_t first, FieldReader& fields) {
  SegmentReader::Frame frame{.first = first};
  const int64_t entries = fields.number();
  frame.earliest = fields.time();
  frame.latest = fields.time();
  frame.before = fields.hash();
  frame.packed_bytes = static_cast<size_t>(fields.number());
  frame.unpacked_bytes = static_cast<size_t>(fields.number());
  frame.check = fields.raw(kCheckBytes);
  const bool bounded =
      entries <= static_cast<int64_t>(kFrameEntriesMax) && frame.unpacked_bytes <= kFrameBytesMax;
  frame.last = first - 1 + (fields.ok() && bounded ? entries : 0);
  return frame;
}

}  // namespace

Result<> SegmentWriter::add(JournalRow row) {
  if (row.payload.size() > kSealedPayloadMax || !in_frame_range(row.time) ||
      row.sequence != last_.sequence + 1 || chain(last_, row.time, row.payload).hash != row.hash) {
    return fail(ErrorCode::kCorrupt, "the journal's entry {} does not follow entry {}", row.sequence,
                last_.sequence);
  }
  if (waiting_.empty()) before_waiting_ = last_.hash;
  last_ = {row.sequence, row.hash};
  waiting_bytes_ += row.payload.size();
  waiting_.push_back(std::move(row));
  if (waiting_.size() >= kFrameEntries || waiting_bytes_ >= kFrameBytes) pack();
  return {};
}

void SegmentWriter::pack() {
  const auto [earliest, latest] = std::ranges::minmax(waiting_, {}, &JournalRow::time);
  const std::string columns = pack_frame(waiting_);
  const std::string frame = packed(columns);
  FieldWriter line;
  line.number(std::ssize(waiting_)).time(earliest.time).time(latest.time).raw(view(before_waiting_));
  line.number(std::ssize(frame)).number(std::ssize(columns)).raw(check_of(frame));
  index_ += line.bytes();
  frames_ += frame;
  ++frame_count_;
  waiting_.clear();
  waiting_bytes_ = 0;
}

Segment SegmentWriter::finish() {
  if (!waiting_.empty()) pack();
  CHECK(frame_count_ > 0);
  FieldWriter head;
  head.raw(kMagic).number(first_).number(frame_count_).raw(index_);
  head.raw(check_of(head.bytes())).raw(frames_);
  return {.first = first_, .last = last_.sequence, .hash = last_.hash, .bytes = head.take()};
}

Result<SegmentReader> SegmentReader::open(Segment segment) {
  SegmentReader reader;
  reader.bytes_ = std::move(segment.bytes);
  const std::string_view bytes = reader.bytes_;
  FieldReader fields(bytes);
  if (fields.raw(kMagic.size()) != kMagic) return damaged("it is none");
  int64_t next = fields.number();
  if (!fields.ok() || next != segment.first || segment.last < next) return damaged("it begins elsewhere");
  const int64_t count = fields.number();
  for (int64_t i = 0; i < count && fields.ok(); ++i) {
    const Frame frame = read_line(next, fields);
    if (frame.last < next || frame.last > segment.last) return damaged("a line of its index");
    next = frame.last + 1;
    reader.frames_.push_back(frame);
  }
  const size_t index_size = bytes.size() - fields.rest().size();
  if (!fields.ok() || fields.raw(kCheckBytes) != check_of(bytes.substr(0, index_size))) {
    return damaged("its index");
  }
  if (reader.frames_.empty() || next != segment.last + 1) return damaged("it ends elsewhere");
  for (size_t i = 0; i < reader.frames_.size(); ++i) {
    Frame& frame = reader.frames_[i];
    frame.offset = bytes.size() - fields.rest().size();
    frame.hash = i + 1 < reader.frames_.size() ? reader.frames_[i + 1].before : segment.hash;
    fields.raw(frame.packed_bytes);
  }
  if (!fields.ok() || !fields.at_end()) return damaged("its length");
  return reader;
}

Result<std::vector<JournalRow>> SegmentReader::read(const Frame& frame) const {
  const auto packed_frame = std::string_view(bytes_).substr(frame.offset, frame.packed_bytes);
  if (check_of(packed_frame) != frame.check) return damaged("a frame's bytes");
  const std::string columns = TRY(unpacked(packed_frame, frame.unpacked_bytes));
  auto rows = TRY(unpack_frame(columns, static_cast<size_t>(frame.last - frame.first + 1)));
  ChainHead head{frame.first - 1, frame.before};
  for (JournalRow& row : rows) {
    row = chain(head, row.time, std::move(row.payload));
    head = {row.sequence, row.hash};
  }
  if (head.hash != frame.hash) return damaged("its entries are not those that were sealed");
  return rows;
}

}  // namespace feilun::ledger
