#include "ledger/journal_walk.h"

#include <algorithm>
#include <utility>

#include "ledger/archive.h"

namespace feilun::ledger {
namespace {

constexpr int64_t kRowsBackMin = 64;
constexpr int64_t kRowsBackMax = 4096;

}  // namespace

bool JournalWalk::wants(const SegmentReader::Frame& frame) const {
  if (frame.earliest >= range_.until) return false;
  return frame.latest >= range_.from || frame.last >= range_.thorough_from;
}

Result<bool> JournalWalk::enter_segment(Store& store) {
  auto segment = TRY(store.segment_at(at_ + 1));
  if (!segment || at_ + 1 > segment->last) return false;
  Segment whole = TRY(whole_segment(store, *std::move(segment)));
  sealed_ = TRY(SegmentReader::open(std::move(whole)));
  frame_ = 0;
  return true;
}

Result<std::vector<JournalRow>> JournalWalk::next(Store& store) {
  for (;;) {
    while (sealed_ && frame_ < sealed_->frames().size()) {
      const SegmentReader::Frame& frame = sealed_->frames()[frame_++];
      const int64_t before = std::exchange(at_, std::max(at_, frame.last));
      if (frame.last <= before || !wants(frame)) continue;
      auto rows = TRY(sealed_->read(frame));
      std::erase_if(rows, [&](const JournalRow& row) { return row.sequence <= before; });
      return rows;
    }
    sealed_.reset();
    auto rows = TRY(store.entries(at_, range_.at_once));
    if (!rows.empty() && rows.front().sequence == at_ + 1) {
      at_ = rows.back().sequence;
      return rows;
    }
    if (TRY(enter_segment(store))) continue;
    if (rows.empty()) return rows;
    return fail(ErrorCode::kCorrupt, "the journal has no entry {}", at_ + 1);
  }
}

Result<JournalRow> journal_entry(Store& store, int64_t sequence) {
  JournalWalk walk({.after = sequence - 1, .at_once = 1});
  auto rows = TRY(walk.next(store));
  if (!rows.empty() && rows.front().sequence == sequence) return std::move(rows.front());
  return fail(ErrorCode::kNotFound, "the journal has no entry {}", sequence);
}

Result<JournalRow> hold_entry(State& state, std::string_view request_id, int64_t ended) {
  const std::string begins = Payload(EntryKind::kHold).text(request_id).bytes();
  int64_t behind = ended;
  for (; behind > state.written() + 1; --behind) {
    JournalRow row = TRY(state.entry(behind - 1));
    if (row.payload.starts_with(begins)) return row;
  }
  // Most requests are short: the hold is not far behind its end.
  int64_t step = kRowsBackMin;
  for (int64_t until = behind; until > 1; until -= step, step = std::min(step * 2, kRowsBackMax)) {
    const int64_t from = std::max<int64_t>(1, until - step);
    JournalWalk walk({.after = from - 1, .at_once = until - from});
    for (int64_t at = from; at < until;) {
      auto rows = TRY(walk.next(state.store()));
      if (rows.empty()) break;
      for (JournalRow& row : rows) {
        if (row.payload.starts_with(begins)) return std::move(row);
      }
      at = rows.back().sequence + 1;
    }
  }
  return fail(ErrorCode::kCorrupt, "the journal has no hold of the request {}", request_id);
}

std::vector<Posting> read_postings(FieldReader& fields) {
  std::vector<Posting> postings;
  const int64_t count = fields.number();
  for (int64_t i = 0; i < count && fields.ok(); ++i) {
    Posting posting{.account = fields.text(), .currency = {}, .amount = {}};
    posting.currency = fields.raw(3);
    posting.amount = fields.amount();
    postings.push_back(std::move(posting));
  }
  return postings;
}

}  // namespace feilun::ledger
