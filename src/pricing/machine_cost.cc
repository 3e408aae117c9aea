#include "pricing/machine_cost.h"

#include "base/check.h"

namespace feilun::pricing {
Result<Money> parse_price_per_hour(std::string_view text) {
  if (!text.ends_with("/h")) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a price an hour: write it like 0.50/h", text);
  }
  const Money amount = TRY(Money::parse(text.substr(0, text.size() - 2)));
  if (amount.is_negative() || amount > kPerHourMax) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not between 0 and 100000000 an hour", text);
  }
  return amount;
}

Money MachineCost::accrue(std::chrono::nanoseconds time) {
  CHECK(time.count() >= 0);
  const int64_t before = accrued_ns_.fetch_add(time.count());
  return cost_of(before + time.count()) - cost_of(before);
}

Money MachineCost::cost_of(int64_t nanoseconds) const {
  // Hours apart from the rest: the product of all of them with a high price would not fit.
  const int128 hours = nanoseconds / kNanosecondsPerHour;
  const int128 rest = nanoseconds % kNanosecondsPerHour;
  return Money::pico(hours * price_.per_hour.pico() + rest * price_.per_hour.pico() / kNanosecondsPerHour);
}

}  // namespace feilun::pricing
