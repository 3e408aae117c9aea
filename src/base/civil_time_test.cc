#include "base/civil_time.h"

#include <gtest/gtest.h>

#include <random>

namespace feilun {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

WallTime at(std::string_view text) {
  return parse_iso8601(text).value();
}

TimeZone zone(std::string_view name) {
  return TimeZone::find(name).value();
}

Period month_in(std::string_view name, std::string_view month) {
  return zone(name).period_of(parse_month(month).value());
}

Period day_in(std::string_view name, std::string_view day) {
  return zone(name).period_of(parse_day(day).value());
}

TEST(CivilTime, AMonthBeginsAtLocalMidnight) {
  EXPECT_EQ(month_in("UTC", "2026-02"), (Period{at("2026-02-01T00:00:00Z"), at("2026-03-01T00:00:00Z")}));
  EXPECT_EQ(month_in("Asia/Shanghai", "2026-02"),
            (Period{at("2026-01-31T16:00:00Z"), at("2026-02-28T16:00:00Z")}));
  // March begins on winter time and ends on summer time.
  EXPECT_EQ(month_in("America/New_York", "2026-03"),
            (Period{at("2026-03-01T05:00:00Z"), at("2026-04-01T04:00:00Z")}));
  EXPECT_EQ(month_in("Europe/Berlin", "2026-10"),
            (Period{at("2026-09-30T22:00:00Z"), at("2026-10-31T23:00:00Z")}));
}

TEST(CivilTime, AMillisecondDecidesTheMonth) {
  for (const char* name : {"UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin"}) {
    const TimeZone here = zone(name);
    for (const char* text : {"2024-02", "2024-03", "2026-01", "2026-03", "2026-10", "2026-11", "2026-12"}) {
      const Month month = parse_month(text).value();
      const Period period = here.period_of(month);
      const Month before = month - std::chrono::months(1), after = month + std::chrono::months(1);
      EXPECT_EQ(here.month_of(period.from - milliseconds(1)), before) << name << ' ' << text;
      EXPECT_EQ(here.month_of(period.from), month) << name << ' ' << text;
      EXPECT_EQ(here.month_of(period.from + milliseconds(1)), month) << name << ' ' << text;
      EXPECT_EQ(here.month_of(period.until - milliseconds(1)), month) << name << ' ' << text;
      EXPECT_EQ(here.month_of(period.until), after) << name << ' ' << text;
      EXPECT_EQ(here.period_of(before).until, period.from);
      EXPECT_EQ(here.period_of(after).from, period.until);
      EXPECT_FALSE(period.contains(period.from - milliseconds(1)));
      EXPECT_TRUE(period.contains(period.from));
      EXPECT_TRUE(period.contains(period.until - milliseconds(1)));
      EXPECT_FALSE(period.contains(period.until));
    }
  }
}

TEST(CivilTime, DaysOfDaylightSavingHave23And25Hours) {
  const auto length = [](std::string_view name, std::string_view day) {
    const Period period = day_in(name, day);
    return std::chrono::duration_cast<hours>(period.until - period.from).count();
  };
  EXPECT_EQ(length("America/New_York", "2026-03-08"), 23);
  EXPECT_EQ(length("America/New_York", "2026-11-01"), 25);
  EXPECT_EQ(length("Europe/Berlin", "2026-03-29"), 23);
  EXPECT_EQ(length("Europe/Berlin", "2026-10-25"), 25);
  EXPECT_EQ(length("Europe/Berlin", "2036-10-26"), 25);
  EXPECT_EQ(length("Asia/Shanghai", "2026-03-29"), 24);
  // The hour that comes twice is the same day both times.
  const TimeZone berlin = zone("Europe/Berlin");
  EXPECT_EQ(to_string(berlin.day_of(at("2026-10-25T00:30:00Z"))), "2026-10-25");
  EXPECT_EQ(to_string(berlin.day_of(at("2026-10-25T01:30:00Z"))), "2026-10-25");
}

TEST(CivilTime, AMidnightThatIsSkippedBeginsWhenTheClockJumps) {
  // In São Paulo clocks went from 23:59:59 on 3 November 2018 to 01:00.
  EXPECT_EQ(day_in("America/Sao_Paulo", "2018-11-04"),
            (Period{at("2018-11-04T03:00:00Z"), at("2018-11-05T02:00:00Z")}));
}

TEST(CivilTime, ADateThatWasLeftOutIsEmpty) {
  // Samoa crossed the date line and had no 30 December 2011.
  const Period none = day_in("Pacific/Apia", "2011-12-30");
  EXPECT_EQ(none.from, none.until);
  EXPECT_EQ(day_in("Pacific/Apia", "2011-12-29").until, none.from);
  EXPECT_EQ(day_in("Pacific/Apia", "2011-12-31").from, none.until);
  EXPECT_EQ(to_string(zone("Pacific/Apia").day_of(none.from)), "2011-12-31");
}

TEST(CivilTime, ADayThatHasBegunDoesNotEndBecauseTheClockIsSetBack) {
  // In St. John's, one minute into 7 November 2010 clocks went back to 23:01 of the day before.
  const TimeZone here = zone("America/St_Johns");
  const Period seventh = here.period_of(parse_day("2010-11-07").value());
  EXPECT_EQ(seventh.from, at("2010-11-07T02:30:00Z"));
  EXPECT_EQ(to_string(here.day_of(at("2010-11-07T03:00:00Z"))), "2010-11-07");
  EXPECT_EQ(to_string(here.day_of(seventh.from - milliseconds(1))), "2010-11-06");
}

TEST(CivilTime, EveryInstantIsInTheDayAndMonthItIsSaidToBeIn) {
  std::mt19937_64 random(1);
  for (const char* name : {"UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin", "America/St_Johns",
                           "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu"}) {
    const TimeZone here = zone(name);
    for (int i = 0; i < 2000; ++i) {
      const WallTime time(std::chrono::microseconds(random() % 2'000'000'000'000'000));
      EXPECT_TRUE(here.period_of(here.day_of(time)).contains(time)) << name << ' ' << to_iso8601(time);
      EXPECT_TRUE(here.period_of(here.month_of(time)).contains(time)) << name << ' ' << to_iso8601(time);
    }
  }
}

TEST(CivilTime, LeapDaysAreDays) {
  EXPECT_TRUE(parse_day("2024-02-29"));
  EXPECT_FALSE(parse_day("2026-02-29"));
  EXPECT_FALSE(parse_day("2100-02-29"));
  EXPECT_TRUE(parse_day("2000-02-29"));
  EXPECT_EQ(to_string(zone("America/New_York").day_of(at("2024-03-01T04:59:59.999Z"))), "2024-02-29");
  EXPECT_EQ(to_string(zone("America/New_York").day_of(at("2024-03-01T05:00:00Z"))), "2024-03-01");
  EXPECT_EQ(month_in("Asia/Shanghai", "2024-02").until - month_in("Asia/Shanghai", "2024-02").from,
            hours(29 * 24));
  EXPECT_EQ(to_string(plus_days(parse_day("2024-02-28").value(), 2)), "2024-03-01");
  EXPECT_EQ(days_between(parse_day("2024-02-28").value(), parse_day("2024-03-01").value()), 2);
  EXPECT_EQ(days_between(parse_day("2024-03-01").value(), parse_day("2024-02-28").value()), -2);
}

TEST(CivilTime, AnUnknownZoneIsAClearError) {
  for (const char* name : {"", "Mars/Olympus", "../etc/passwd", "asia/shanghai", "UTC+8", "Asia/Shanghai "}) {
    const auto found = TimeZone::find(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(found.error().message.find(fmt::format("'{}'", name)), std::string::npos);
  }
  EXPECT_EQ(zone("Asia/Shanghai").name(), "Asia/Shanghai");
}

TEST(CivilTime, TimesAreReadAndWrittenExactly) {
  for (const char* text : {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2026-11-23T10:47:50.125Z",
                           "2026-11-23T10:47:50.000001Z", "0001-01-01T00:00:00Z",
                           "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999Z"}) {
    EXPECT_EQ(to_iso8601(at(text)), text);
  }
  EXPECT_EQ(to_iso8601(at("2026-11-23T10:47:50.5Z")), "2026-11-23T10:47:50.500Z");
  EXPECT_EQ(at("1970-01-01T00:00:01Z"), WallTime(std::chrono::seconds(1)));
  for (const char* text :
       {"", "2026-11-23", "2026-11-23T10:47:50", "2026-11-23 10:47:50Z", "2026-11-23T10:47:50z",
        "2026-11-23T10:47:50+08:00", "2026-11-23T24:00:00Z", "2026-11-23T10:60:00Z", "2026-12-31T23:59:60Z",
        "2026-11-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "0000-01-01T00:00:00Z",
        "2026-11-23T10:47:50.Z", "2026-11-23T10:47:50.1234567Z", "2026-11-23T10:47:50,5Z",
        "T:::::::::::::::::Z", "2026-1-023T10:47:50Z", "+026-11-23T10:47:50Z"}) {
    EXPECT_FALSE(parse_iso8601(text)) << text;
  }
}

TEST(CivilTime, MonthsAndDaysAreReadInOneSpelling) {
  EXPECT_EQ(to_string(parse_month("0987-01").value()), "0987-01");
  for (const char* text : {"", "2026", "2026-1", "2026-00", "2026-13", "2026-01-01", "0000-01", "2026/01"}) {
    EXPECT_FALSE(parse_month(text)) << text;
  }
  for (const char* text : {"", "2026-01", "2026-01-00", "2026-01-32", "2026-1-1", "2026-01/01"}) {
    EXPECT_FALSE(parse_day(text)) << text;
  }
}

TEST(CivilTime, TimesBeyondTheCalendarAreItsEnds) {
  const TimeZone here = zone("America/New_York");
  EXPECT_EQ(to_string(here.month_of(WallTime::max())), "9999-12");
  EXPECT_EQ(to_string(zone("Asia/Shanghai").month_of(WallTime::max())), "9999-12");
  EXPECT_EQ(to_string(here.month_of(WallTime::min())), "0001-01");
  EXPECT_EQ(to_iso8601(WallTime::max()), "9999-12-31T23:59:59.999999Z");
  const Period last = here.period_of(parse_month("9999-12").value());
  EXPECT_LE(last.from, last.until);
}

}  // namespace
}  // namespace feilun
