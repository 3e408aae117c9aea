#include "ledger/journal.h"

namespace feilun::ledger {

void Payload::postings(const std::vector<Posting>& values) {
  number(static_cast<int64_t>(values.size()));
  for (const Posting& posting : values) text(posting.account).raw(posting.currency).amount(posting.amount);
}

JournalRow chain(const ChainHead& head, WallTime time, std::string payload) {
  JournalRow row{.sequence = head.sequence + 1, .time = time, .payload = std::move(payload)};
  struct {
    Hash before;
    std::array<uint64_t, 2> numbers;
  } front{head.hash,
          {__builtin_bswap64(static_cast<uint64_t>(row.sequence)),
           __builtin_bswap64(static_cast<uint64_t>(time.time_since_epoch().count()))}};
  static_assert(sizeof front == sizeof(Hash) + 16);
  row.hash = blake2b_256({reinterpret_cast<const char*>(&front), sizeof front}, row.payload);
  return row;
}

}  // namespace feilun::ledger
