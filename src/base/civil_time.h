#pragma once

/// Civil time: days and months as a person in some time zone writes them, against instants as the ledger
/// keeps them. A local day is not always 24 hours, local midnight may be skipped or come twice, and a whole
/// date may not exist; so a day here is the interval from the first instant its midnight is reached to the
/// first instant the next one's is. Such intervals cover all time once and nothing twice, in every zone, and
/// months are runs of them: an invoice's period is half-open and no charge falls in two or between.

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace date {
class time_zone;
}

namespace feilun {

/// A month and a day of the Gregorian calendar, in whatever zone the context says. `month + months(1)` is
/// the next month; a day plus a number of days goes through std::chrono::local_days.
using Month = std::chrono::year_month;
using Day = std::chrono::year_month_day;

/// from ≤ time < until.
struct Period {
  WallTime from;
  WallTime until;

  bool contains(WallTime time) const { return from <= time && time < until; }
  friend bool operator==(const Period&, const Period&) = default;
};

/// A zone of the system's IANA database, which knows its changes up to 2037. Times and dates outside the
/// years 1 to 9999 are taken as the nearest one inside. Cheap to copy. Threads: any.
class TimeZone {
 public:
  static TimeZone utc();
  /// "Asia/Shanghai". kInvalidArgument when the system has no such zone.
  static Result<TimeZone> find(std::string_view name);

  const std::string& name() const { return name_; }
  Day day_of(WallTime time) const;
  Month month_of(WallTime time) const;
  Period period_of(Day day) const;
  Period period_of(Month month) const;

 private:
  TimeZone(std::string name, const date::time_zone* zone) : name_(std::move(name)), zone_(zone) {}
  WallTime start_of(std::chrono::local_days day) const;
  std::chrono::local_days local_day_of(WallTime time) const;

  std::string name_;
  const date::time_zone* zone_;  ///< null: UTC, which needs no database
};

/// The day `days` after; before when negative.
Day plus_days(Day day, int days);
/// How many midnights lie from `from` to `to`; negative when `to` is earlier.
int days_between(Day from, Day to);

/// "2026-02", "2026-02-28".
std::string to_string(Month month);
std::string to_string(Day day);
/// The reverse, for the years 1 to 9999. kInvalidArgument when the text is not such a month or day.
Result<Month> parse_month(std::string_view text);
Result<Day> parse_day(std::string_view text);

/// "2026-02-28T23:59:59Z"; with three or six decimals of a second where needed for exactness.
std::string to_iso8601(WallTime time);
/// The reverse: UTC with a capital T and Z and at most six decimals of a second. kInvalidArgument otherwise,
/// also for a leap second.
Result<WallTime> parse_iso8601(std::string_view text);

}  // namespace feilun
