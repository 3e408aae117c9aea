#include "ledger/settled_requests.h"

#include <unordered_map>

#include "ledger/draws.h"
#include "ledger/fields.h"
#include "ledger/journal_walk.h"
#include "ledger/limits.h"

namespace feilun::ledger {
namespace {

constexpr auto kLongestRequest = std::chrono::hours(24);

SettledRequest read_hold(FieldReader& fields) {
  SettledRequest request{.request_id = fields.text()};
  request.key_id = fields.text();
  request.project_id = fields.text();
  request.payer_id = fields.text();
  request.offering = fields.text();
  request.tier = static_cast<ServiceTier>(fields.byte() & 3);
  request.price_id = fields.number();
  request.input_tokens = fields.number();
  return request;
}

std::unexpected<Error> unreadable(const JournalRow& row) {
  return fail(ErrorCode::kCorrupt, "the journal's entry {} cannot be read", row.sequence);
}

class Walk {
 public:
  Walk(Period period, const std::function<Result<>(const SettledRequest&)>& take)
      : period_(period), take_(take) {}

  WallTime from() const { return period_.from - kLongestRequest; }
  WallTime until() const { return period_.until; }
  Result<> entry(const JournalRow& row);

 private:
  void hold(SettledRequest request);
  Result<> settle(const JournalRow& row, FieldReader& fields);

  Period period_;
  const std::function<Result<>(const SettledRequest&)>& take_;
  std::unordered_map<std::string, SettledRequest> open_;
};

Result<> Walk::entry(const JournalRow& row) {
  FieldReader fields(row.payload);
  switch (static_cast<EntryKind>(fields.byte())) {
    case EntryKind::kHold:
      hold(read_hold(fields));
      break;
    case EntryKind::kSettle:
      TRY(settle(row, fields));
      break;
    case EntryKind::kRelease:
      open_.erase(fields.text());
      break;
    default:
      return {};
  }
  if (!fields.ok()) return unreadable(row);
  return {};
}

void Walk::hold(SettledRequest request) {
  open_.insert_or_assign(request.request_id, std::move(request));
}

Result<> Walk::settle(const JournalRow& row, FieldReader& fields) {
  const auto place = open_.find(fields.text());
  if (place == open_.end()) return {};
  SettledRequest request = std::move(place->second);
  open_.erase(place);
  request.sequence = row.sequence;
  request.time = row.time;
  fields.byte();
  fields.number();
  request.usage = fields.usage();
  read_postings(fields);  // what was spent of each draw
  for (const Posting& posting : read_postings(fields)) {
    const bool tokens = posting.currency == kTokenUnit;
    if (!tokens) request.currency = posting.currency;
    if (posting.account != "revenue") continue;
    if (tokens) request.covered_tokens = tokens_in(posting.amount);
    if (!tokens) request.charged = posting.amount;
  }
  return period_.contains(row.time) ? take_(request) : Result<>();
}

}  // namespace

Result<SettledRequest> held_request(const JournalRow& hold) {
  FieldReader fields(hold.payload);
  fields.byte();
  SettledRequest request = read_hold(fields);
  if (!fields.ok()) return unreadable(hold);
  return request;
}

Result<> for_each_settled(Store& store, Period period,
                          const std::function<Result<>(const SettledRequest&)>& take) {
  Walk walk(period, take);
  JournalWalk journal({.from = walk.from(), .until = walk.until()});
  for (;;) {
    const auto rows = TRY(journal.next(store));
    if (rows.empty()) return {};
    for (const JournalRow& row : rows) TRY(walk.entry(row));
  }
}

}  // namespace feilun::ledger
