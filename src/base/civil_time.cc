#include "base/civil_time.h"

#include <date/tz.h>

#include <algorithm>
#include <exception>
#include <optional>

namespace feilun {
namespace {

using std::chrono::days;
using std::chrono::local_days;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr local_days kFirstDay(Day(std::chrono::year(1), std::chrono::month(1), std::chrono::day(1)));
constexpr local_days kLastDay(Day(std::chrono::year(9999), std::chrono::month(12), std::chrono::day(31)));

/// UTC midnight at the start of a date, and the reverse.
constexpr WallTime as_utc(local_days day) {
  return WallTime(day.time_since_epoch());
}

WallTime clamp(WallTime time) {
  return std::clamp(time, as_utc(kFirstDay), as_utc(kLastDay) + days(1) - microseconds(1));
}

local_days clamp(local_days day) {
  return std::clamp(day, kFirstDay, kLastDay);
}

/// The number written in exactly these decimal digits.
std::optional<int> digits(std::string_view text) {
  int value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<Month> read_month(std::string_view text) {
  if (text.size() != 7 || text[4] != '-') return std::nullopt;
  const auto year = digits(text.substr(0, 4)), month = digits(text.substr(5, 2));
  if (!year || !month || *year < 1) return std::nullopt;
  const Month read(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)));
  return read.ok() ? std::optional(read) : std::nullopt;
}

std::optional<Day> read_day(std::string_view text) {
  if (text.size() != 10 || text[7] != '-') return std::nullopt;
  const auto month = read_month(text.substr(0, 7));
  const auto day = digits(text.substr(8, 2));
  if (!month || !day) return std::nullopt;
  const Day read = *month / std::chrono::day(static_cast<unsigned>(*day));
  return read.ok() ? std::optional(read) : std::nullopt;
}

/// "23:59:59" and up to six decimals.
std::optional<microseconds> read_time_of_day(std::string_view text) {
  if (text.size() < 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  const auto hour = digits(text.substr(0, 2)), minute = digits(text.substr(3, 2));
  const auto second = digits(text.substr(6, 2));
  if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  microseconds time = std::chrono::hours(*hour) + std::chrono::minutes(*minute) + seconds(*second);
  std::string_view fraction = text.substr(8);
  if (fraction.empty()) return time;
  fraction.remove_prefix(1);
  if (text[8] != '.' || fraction.empty() || fraction.size() > 6) return std::nullopt;
  auto micro = digits(fraction);
  if (!micro) return std::nullopt;
  for (size_t i = fraction.size(); i < 6; ++i) *micro *= 10;
  return time + microseconds(*micro);
}

}  // namespace

TimeZone TimeZone::utc() {
  return TimeZone("UTC", nullptr);
}

Result<TimeZone> TimeZone::find(std::string_view name) {
  if (name == "UTC") return utc();
  try {
    const date::time_zone* zone = date::locate_zone(name);
    zone->get_info(date::sys_seconds());  // the zone's file is read by its first use
    return TimeZone(std::string(name), zone);
  } catch (const std::exception&) {
    return fail(ErrorCode::kInvalidArgument,
                "'{}' is not a time zone this system knows: write one like Asia/Shanghai or UTC", name);
  }
}

WallTime TimeZone::start_of(local_days day) const {
  if (zone_ == nullptr) return as_utc(day);
  const date::local_seconds midnight(day.time_since_epoch());
  return WallTime(zone_->to_sys(midnight, date::choose::earliest).time_since_epoch());
}

local_days TimeZone::local_day_of(WallTime time) const {
  time = clamp(time);
  if (zone_ == nullptr) return local_days(std::chrono::floor<days>(time).time_since_epoch());
  const date::sys_seconds second(std::chrono::floor<seconds>(time.time_since_epoch()));
  const auto local = zone_->to_local(second).time_since_epoch();
  local_days day = clamp(local_days(std::chrono::floor<days>(local)));
  // Clocks set back across midnight show the old date again after the new one has begun.
  if (day < kLastDay && time >= start_of(day + days(1))) return day + days(1);
  return day;
}

Day TimeZone::day_of(WallTime time) const {
  return Day(local_day_of(time));
}

Month TimeZone::month_of(WallTime time) const {
  const Day day = day_of(time);
  return day.year() / day.month();
}

Period TimeZone::period_of(Day day) const {
  const local_days first = clamp(local_days(day));
  return {start_of(first), start_of(first + days(1))};
}

Period TimeZone::period_of(Month month) const {
  const local_days first = clamp(local_days(month / 1));
  const local_days next = clamp(local_days((month + std::chrono::months(1)) / 1));
  return {start_of(first), start_of(std::max(next, first))};
}

Day plus_days(Day day, int count) {
  return Day(clamp(local_days(day) + days(count)));
}

int days_between(Day from, Day to) {
  return static_cast<int>((local_days(to) - local_days(from)).count());
}

std::string to_string(Month month) {
  return fmt::format("{:04}-{:02}", static_cast<int>(month.year()), static_cast<unsigned>(month.month()));
}

std::string to_string(Day day) {
  return fmt::format("{}-{:02}", to_string(day.year() / day.month()), static_cast<unsigned>(day.day()));
}

Result<Month> parse_month(std::string_view text) {
  const auto month = read_month(text);
  if (!month) return fail(ErrorCode::kInvalidArgument, "'{}' is not a month: write it like 2026-02", text);
  return *month;
}

Result<Day> parse_day(std::string_view text) {
  const auto day = read_day(text);
  if (!day) return fail(ErrorCode::kInvalidArgument, "'{}' is not a day: write it like 2026-02-28", text);
  return *day;
}

std::string to_iso8601(WallTime time) {
  time = clamp(time);
  const auto midnight = std::chrono::floor<days>(time);
  const std::chrono::hh_mm_ss clock(time - midnight);
  std::string text = fmt::format("{}T{:02}:{:02}:{:02}", to_string(Day(midnight)), clock.hours().count(),
                                 clock.minutes().count(), clock.seconds().count());
  const int64_t micro = clock.subseconds().count();
  if (micro % 1000 != 0) {
    text += fmt::format(".{:06}", micro);
  } else if (micro != 0) {
    text += fmt::format(".{:03}", micro / 1000);
  }
  return text + "Z";
}

Result<WallTime> parse_iso8601(std::string_view text) {
  if (text.size() >= 20 && text[10] == 'T' && text.back() == 'Z') {
    const auto day = read_day(text.substr(0, 10));
    const auto time = read_time_of_day(text.substr(11, text.size() - 12));
    if (day && time) return as_utc(local_days(*day)) + *time;
  }
  return fail(ErrorCode::kInvalidArgument, "'{}' is not a time: write it in UTC like 2026-02-28T23:59:59Z",
              text);
}

}  // namespace feilun
