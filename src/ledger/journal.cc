#include "ledger/journal.h"

namespace feilun::ledger {

void Payload::postings(const std::vector<Posting>& values) {
  number(static_cast<int64_t>(values.size()));
  for (const Posting& posting : values) text(posting.account).raw(posting.currency).amount(posting.amount);
}

JournalRow chain(const ChainHead& head, WallTime time, std::string payload) {
  JournalRow row{.sequence = head.sequence + 1, .time = time, .payload = std::move(payload)};
  FieldWriter sealed;
  sealed.raw(view(head.hash)).time(WallTime(std::chrono::microseconds(row.sequence))).time(time);
  sealed.raw(row.payload);
  row.hash = blake2b_256(sealed.bytes());
  return row;
}

}  // namespace feilun::ledger
