#include "apps/price_period.h"

#include "apps/ledger_access.h"

namespace feilun::apps {

Result<Period> PricePeriod::resolve(WallTime now) const {
  const Period period{.from = from ? TRY(parse_time(*from)) : now,
                      .until = until ? TRY(parse_time(*until)) : WallTime::max()};
  if (period.from < now) {
    return fail(ErrorCode::kInvalidArgument, "--from {}: it is past, and what was charged does not change",
                *from);
  }
  if (period.until <= period.from) {
    return fail(ErrorCode::kInvalidArgument, "--until {}: the price would end before it begins", *until);
  }
  return period;
}

std::string period_text(const Period& period) {
  std::string text = "from " + format_time(period.from);
  if (period.until != WallTime::max()) text += " until " + format_time(period.until);
  return text;
}

void add_period_options(CLI::App* command, PricePeriod& period) {
  command->add_option("--from", period.from,
                      "When it begins, UTC: 2026-12-01 or 2026-12-01T08:30:00Z; now if not given");
  command->add_option("--until", period.until,
                      "When it ends; not before another begins if not given. After a contract the list price "
                      "holds, after a list price the model is not sold");
}

}  // namespace feilun::apps
