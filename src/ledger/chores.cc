#include "ledger/chores.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "ledger/books.h"
#include "ledger/idempotency.h"
#include "ledger/invoicing.h"

namespace feilun::ledger {
namespace {

constexpr int64_t kLotsAtOnce = 500;
constexpr int64_t kRepliesAtOnce = 500;
constexpr int64_t kCommitmentsAtOnce = 1000;

/// Something to do for a month that has ended.
struct MonthDue {
  std::string owner;  ///< id
  Month month;
};

Result<int64_t> expire_all(Ledger& ledger) {
  int64_t expired = 0;
  for (;;) {
    const int64_t some =
        TRY(ledger.write<int64_t>([](Books& books) { return books.expire_lots(kLotsAtOnce); }));
    expired += some;
    if (some < kLotsAtOnce) return expired;
  }
}

/// The replies of idempotency keys that are older than a day.
Result<> forget_replies(Ledger& ledger, WallTime now) {
  for (;;) {
    const int64_t some = TRY(ledger.write<int64_t>(
        [&](Books& books) { return forget_old_replies(books.state(), now, kRepliesAtOnce); }));
    if (some < kRepliesAtOnce) return {};
  }
}

/// The months that a commitment covers, that are over, and that were not trued up.
Result<> add_due(State& state, const Commitment& commitment, WallTime now, std::vector<MonthDue>& due) {
  const Organisation owner = TRY(organisation_of(state, commitment.organisation));
  const Month current = TRY(TimeZone::find(owner.time_zone)).month_of(now);
  const Month until = commitment.until ? std::min(current, *commitment.until) : current;
  for (Month month = commitment.from; month < until; month += std::chrono::months(1)) {
    if (!TRY(find_true_up(state, commitment.id, month))) due.push_back({owner.id, month});
  }
  return {};
}

Result<std::vector<MonthDue>> true_ups_due(State& state, WallTime now) {
  std::vector<MonthDue> due;
  std::string after;
  for (;;) {
    const auto records = TRY(all_records(state, "commitment", kCommitmentsAtOnce, after));
    for (const Record& record : records) TRY(add_due(state, TRY(commitment_from(record)), now, due));
    if (std::ssize(records) < kCommitmentsAtOnce) return due;
    after = records.back().id;
  }
}

/// Each in a transaction of its own. One that fails keeps no other from being done; the first failure is told
/// at the end.
Result<int64_t> true_up_all(Ledger& ledger, WallTime now) {
  const auto all =
      TRY(ledger.read<std::vector<MonthDue>>([&](State& state) { return true_ups_due(state, now); }));
  int64_t done = 0;
  std::optional<Error> failed;
  for (const MonthDue& due : all) {
    const auto one = ledger.write<std::optional<TrueUp>>(
        [&](Books& books) { return books.true_up(due.owner, due.month); });
    if (one) ++done;
    if (!one && !failed) failed = one.error();
  }
  if (failed) return std::unexpected(*std::move(failed));
  return done;
}

/// Of the last month, and of the current one where it has ended already: days begin first in the east.
Result<int64_t> invoice_all(Ledger& ledger, WallTime now) {
  const Month current = TimeZone::utc().month_of(now);
  int64_t issued = 0;
  const auto run = [&](Month month) {
    return run_invoices(ledger, month, now, "local", [&](const Invoice&) { ++issued; });
  };
  const auto last = run(current - std::chrono::months(1));
  TRY(run(current));
  TRY(last);
  return issued;
}

/// What is older than the current month and `months` before it.
Result<int64_t> archive_older(Ledger& ledger, int months, WallTime now) {
  const TimeZone utc = TimeZone::utc();
  const Month kept = utc.month_of(now) - std::chrono::months(months);
  return ledger.archive(utc.period_of(kept).from, kSegmentsAtOnce);
}

}  // namespace

Result<ChoresDone> do_chores(Ledger& ledger, const ChoreOptions& options, WallTime now) {
  ChoresDone done{.lots_expired = TRY(expire_all(ledger))};
  const auto trued_up = true_up_all(ledger, now);
  TRY(forget_replies(ledger, now));
  Result<int64_t> archived = 0;
  if (options.archive_after > 0) archived = archive_older(ledger, options.archive_after, now);
  if (options.invoices) done.invoices_issued = TRY(invoice_all(ledger, now));
  done.months_trued_up = TRY(trued_up);
  done.segments_archived = TRY(archived);
  return done;
}

}  // namespace feilun::ledger
