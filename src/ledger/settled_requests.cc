#include "ledger/settled_requests.h"

#include <string>
#include <unordered_map>

#include "ledger/fields.h"
#include "ledger/journal_walk.h"

namespace feilun::ledger {
namespace {

constexpr auto kLongestRequest = std::chrono::hours(24);

class Walk {
 public:
  Walk(Period period, const std::function<Result<>(const ChargedRequest&)>& take)
      : period_(period), take_(take) {}

  WallTime from() const { return period_.from - kLongestRequest; }
  WallTime until() const { return period_.until; }
  Result<> entry(const JournalRow& row);

 private:
  Result<> settle(const JournalRow& row, const std::string& request_id);

  Period period_;
  const std::function<Result<>(const ChargedRequest&)>& take_;
  std::unordered_map<std::string, ChargedRequest> open_;
};

Result<> Walk::entry(const JournalRow& row) {
  FieldReader fields(row.payload);
  const auto kind = static_cast<EntryKind>(fields.byte());
  if (kind == EntryKind::kHold) {
    ChargedRequest request = TRY(request_from_hold(row));
    open_.insert_or_assign(request.id, std::move(request));
  }
  if (kind == EntryKind::kSettle) return settle(row, fields.text());
  if (kind == EntryKind::kRelease) open_.erase(fields.text());
  return {};
}

Result<> Walk::settle(const JournalRow& row, const std::string& request_id) {
  auto open = open_.extract(request_id);
  if (open.empty()) return {};
  TRY(read_settle(row, open.mapped()));
  return period_.contains(row.time) ? take_(open.mapped()) : Result<>();
}

}  // namespace

Result<> for_each_settled(Store& store, Period period,
                          const std::function<Result<>(const ChargedRequest&)>& take) {
  Walk walk(period, take);
  JournalWalk journal({.from = walk.from(), .until = walk.until()});
  for (;;) {
    const auto rows = TRY(journal.next(store));
    if (rows.empty()) return {};
    for (const JournalRow& row : rows) TRY(walk.entry(row));
  }
}

}  // namespace feilun::ledger
