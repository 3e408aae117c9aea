#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/store.h"

/// Sealed runs of the journal. A segment is an index and, behind it, frames (segment_frame.h), each packed by
/// zstd on its own, so that an entry or a time is found by unpacking one of them. Entries' hashes are not
/// kept but made again along the chain: the index says with which hash each frame begins, and each must end
/// with the next one's, the last with the segment's. So a frame proves itself, and all together the run.
///
///     segment   8 bytes "fllgseg1", number first sequence, number of frames, the index's line of each,
///               the first 16 bytes of BLAKE2b-256 over all before, then the packed frames
///     line      number of entries, time earliest, time latest, 32 bytes hash of the entry before,
///               number of bytes packed, number of bytes unpacked,
///               the first 16 bytes of BLAKE2b-256 over the packed frame
namespace feilun::ledger {

inline constexpr size_t kSealedPayloadMax = 16 << 20;

/// Seals a run, entry by entry; memory holds what is packed and one frame that is not.
class SegmentWriter {
 public:
  /// `before`: the entry that the run follows.
  explicit SegmentWriter(const ChainHead& before) : first_(before.sequence + 1), last_(before) {}

  /// The next entry. kCorrupt when it does not follow by sequence and hash, or is larger than any entry:
  /// what cannot be proved is not sealed.
  Result<> add(JournalRow row);
  size_t packed_bytes() const { return frames_.size(); }
  /// The run so far, at least one entry; the writer is used up.
  Segment finish();

 private:
  void pack();

  int64_t first_;
  ChainHead last_;
  std::vector<JournalRow> waiting_;
  size_t waiting_bytes_ = 0;
  Hash before_waiting_{};
  int64_t frame_count_ = 0;
  std::string index_;
  std::string frames_;
};

/// Reads a segment. What it returns is proved; whatever the bytes are, memory is bounded by one frame.
class SegmentReader {
 public:
  struct Frame {
    int64_t first = 0;  ///< sequences of its entries
    int64_t last = 0;
    WallTime earliest;  ///< clocks may step, so times need not be in order
    WallTime latest;
    Hash before{};      ///< of the entry before its first
    Hash hash{};        ///< of its last
    size_t offset = 0;  ///< of its packed bytes in the segment
    size_t packed_bytes = 0;
    size_t unpacked_bytes = 0;
    std::string check;  ///< the first 16 bytes of BLAKE2b-256 over its packed bytes
  };

  /// kCorrupt when the index is damaged or is another run's than the segment says.
  static Result<SegmentReader> open(Segment segment);

  const std::vector<Frame>& frames() const { return frames_; }
  /// The frame's entries. kCorrupt when they are not those that were sealed.
  Result<std::vector<JournalRow>> read(const Frame& frame) const;

 private:
  std::string bytes_;
  std::vector<Frame> frames_;
};

}  // namespace feilun::ledger
