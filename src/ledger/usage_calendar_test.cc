// What a millisecond decides: which price holds, and into which month a charge falls, where months end in
// several time zones, in a leap year, and where the clocks are changed. The instants are written out in UTC,
// from the calendar.
#include <gtest/gtest.h>

#include "ledger/accounts_fixture.h"
#include "ledger/rollups.h"

namespace feilun::ledger {
namespace {

using std::chrono::milliseconds;

struct MonthEnd {
  const char* zone;
  const char* before;
  const char* after;
  const char* instant;
};
/// In the order of time.
constexpr MonthEnd kMonthEnds[] = {
    {"Asia/Shanghai", "2024-02", "2024-03", "2024-02-29T16:00:00Z"},
    {"Europe/Berlin", "2024-02", "2024-03", "2024-02-29T23:00:00Z"},
    {"America/New_York", "2024-02", "2024-03", "2024-03-01T05:00:00Z"},
    {"Asia/Shanghai", "2024-03", "2024-04", "2024-03-31T16:00:00Z"},
    {"Europe/Berlin", "2024-03", "2024-04", "2024-03-31T22:00:00Z"},     // summer time since that morning
    {"America/New_York", "2024-03", "2024-04", "2024-04-01T04:00:00Z"},  // since March 10
    {"Asia/Shanghai", "2024-10", "2024-11", "2024-10-31T16:00:00Z"},
    {"Europe/Berlin", "2024-10", "2024-11", "2024-10-31T23:00:00Z"},     // winter time since October 27
    {"America/New_York", "2024-10", "2024-11", "2024-11-01T04:00:00Z"},  // until November 3
};

/// Instants at which something else begins by the clocks of some place.
constexpr const char* kInstants[] = {
    "2024-02-28T16:00:00Z",  // February 29 in Shanghai
    "2024-02-29T00:00:00Z",  // and in Greenwich
    "2024-03-01T00:00:00Z",
    "2024-03-10T07:00:00Z",  // New York goes from 2:00 to 3:00
    "2024-03-31T01:00:00Z",  // Berlin too
    "2024-10-27T01:00:00Z",  // Berlin goes from 3:00 back to 2:00
    "2024-11-03T06:00:00Z",  // New York too
    "2024-12-31T16:00:00Z",  // the year of Shanghai
};

class UsageCalendar : public AccountsTest {
 protected:
  void go_to(WallTime time) { clock_.advance(time - clock_.wall()); }
  void go_to(const char* time) { go_to(parse_iso8601(time).value()); }

  /// An organisation of the zone with one project; returns the project.
  std::string open_in(const std::string& zone) {
    const std::string name = zone.substr(zone.find('/') + 1);
    organisations_[zone] =
        ledger_
            ->write<Organisation>([&](Books& books) {
              return books.create_organisation({.name = name, .currency = "CNY", .time_zone = zone});
            })
            ->id;
    EXPECT_TRUE(ledger_->credit(name, yuan("1"), "CNY", "", ""));
    return ledger_->write<Project>([&](Books& books) { return books.create_project("web", "CNY", name); })
        ->id;
  }
  Settlement serve(const std::string& project, TokenCount output = 1) {
    HoldRequest asked = request(fmt::format("req_{}", ++requests_), 0, output);
    asked.project_id = project;
    EXPECT_TRUE(ledger_->hold_now(asked));
    return settle(asked.request_id, {.output = output});
  }
  UsageSums in_month(const std::string& zone, const char* month) {
    UsageSums sums;
    const auto rows = ledger_->read<std::vector<UsageRow>>(
        [&](State& state) { return monthly_usage(state, organisations_[zone], parse_month(month).value()); });
    for (const UsageRow& row : rows.value()) sums += row.sums;
    return sums;
  }

  std::map<std::string, std::string> organisations_;
  int requests_ = 0;
};

TEST_F(UsageCalendar, AMillisecondDecidesTheMonthOfACharge) {
  std::map<std::string, std::string> projects;
  go_to("2024-02-01T12:00:00Z");
  for (const MonthEnd& end : kMonthEnds) {
    if (!projects.contains(end.zone)) projects[end.zone] = open_in(end.zone);
  }
  for (const MonthEnd& end : kMonthEnds) {
    const WallTime instant = parse_iso8601(end.instant).value();
    const UsageSums before = in_month(end.zone, end.before);
    const std::string& project = projects[end.zone];
    go_to(instant - milliseconds(1));
    serve(project, 1);
    go_to(instant);
    serve(project, 20);
    go_to(instant + milliseconds(1));
    serve(project, 300);
    EXPECT_EQ(in_month(end.zone, end.before).requests, before.requests + 1) << end.zone << ' ' << end.instant;
    EXPECT_EQ(in_month(end.zone, end.before).usage.output, before.usage.output + 1) << end.zone;
    EXPECT_EQ(in_month(end.zone, end.after).usage.output, 320) << end.zone << ' ' << end.instant;
    EXPECT_EQ(in_month(end.zone, end.after).charged, Money::pico(320 * 600'000)) << end.zone;
  }
  expect_verified();
}

TEST_F(UsageCalendar, ARequestOfTwoMonthsIsOfTheOneInWhichItEnds) {
  go_to("2024-02-01T12:00:00Z");
  const std::string project = open_in("Asia/Shanghai");
  go_to("2024-02-29T15:59:59.999Z");
  HoldRequest asked = request("r", 0, 5);
  asked.project_id = project;
  ASSERT_TRUE(ledger_->hold_now(asked));
  go_to("2024-02-29T16:00:00Z");
  settle("r", {.output = 5});
  EXPECT_EQ(in_month("Asia/Shanghai", "2024-02").requests, 0);
  EXPECT_EQ(in_month("Asia/Shanghai", "2024-03").usage.output, 5);
  expect_verified();
}

TEST_F(UsageCalendar, VolumePricesBeginAgainWithTheMonthOfTheBuyersZone) {
  go_to("2024-03-01T12:00:00Z");
  PriceVersion version = price();
  version.rows.push_back(version.rows[0]);
  version.rows[1].volume_from = 10;
  version.rows[1].units.output = Money::pico(100'000);
  ASSERT_TRUE(ledger_->set_price(version));
  const std::string project = open_in("America/New_York");
  EXPECT_EQ(serve(project, 10).charged, Money::pico(10 * 600'000));
  EXPECT_EQ(serve(project, 1).charged, Money::pico(100'000));
  go_to("2024-04-01T03:59:59.999Z");
  EXPECT_EQ(serve(project, 1).charged, Money::pico(100'000));
  go_to("2024-04-01T04:00:00Z");
  EXPECT_EQ(serve(project, 1).charged, Money::pico(600'000));
  expect_verified();
}

TEST_F(UsageCalendar, AMillisecondDecidesThePriceWhereverTheClocksChange) {
  credit("1");
  go_to("2024-02-01T12:00:00Z");
  std::vector<int64_t> versions = {ledger_->set_price(price())->id};
  for (size_t i = 0; i < std::size(kInstants); ++i) {
    PriceVersion next = price();
    next.rows[0].units.output = Money::pico(int64_t(i + 2) * 1'000'000);
    next.effective_from = parse_iso8601(kInstants[i]).value();
    versions.push_back(ledger_->set_price(next)->id);
  }
  for (size_t i = 0; i < std::size(kInstants); ++i) {
    const WallTime instant = parse_iso8601(kInstants[i]).value();
    for (const int offset : {-1, 0, 1}) {
      go_to(instant + milliseconds(offset));
      const size_t version = offset < 0 ? i : i + 1;
      EXPECT_EQ(ledger_->price_at("nano", "CNY", clock_.wall())->id, versions[version]) << kInstants[i];
      EXPECT_EQ(serve(project_id()).charged,
                version == 0 ? Money::pico(600'000) : Money::pico(int64_t(version + 1) * 1'000'000))
          << kInstants[i] << ' ' << offset;
    }
  }
  expect_verified();
}

TEST_F(UsageCalendar, SumsAreRebuiltByteForByte) {
  go_to("2024-02-01T12:00:00Z");
  for (const char* zone : {"Asia/Shanghai", "Europe/Berlin", "America/New_York"}) {
    const std::string project = open_in(zone);
    for (const MonthEnd& end : kMonthEnds) {
      if (parse_iso8601(end.instant).value() > clock_.wall()) go_to(end.instant);
      serve(project, 7);
    }
  }
  const auto sums = [&] {
    return ledger_->read<std::map<std::string, std::string>>(
        [](State& state) -> Result<std::map<std::string, std::string>> {
          std::map<std::string, std::string> rows;
          for (const char* table : {"B", "b", "M", "V"}) {
            for (StateRow& row : TRY(state.scan(table, 10'000))) rows[row.key] = std::move(row.value);
          }
          return rows;
        });
  };
  const auto before = sums().value();
  EXPECT_GT(before.size(), 20u);
  ASSERT_TRUE(ledger_->write<void>([&](Books& books) -> Result<> {
    bool erase = false;
    for (const auto& [key, value] : before) {
      erase = !erase;
      if (erase) books.state().erase(key);
      if (!erase) books.state().put(key, value + "x");
    }
    return {};
  }));
  ASSERT_NE(sums().value(), before);
  ledger_.reset();
  audit::Place place{.directory = directory_.path()};
  if (!schema_.empty()) place.url = TestPostgres::server().url();
  if (!schema_.empty()) place.schema = schema_;
  ASSERT_TRUE(audit::rebuild(place, /*dry_run=*/false));
  reopen();
  EXPECT_EQ(sums().value(), before);
  expect_verified();
}

TEST_F(UsageCalendar, HoursOfUsageAreWholeHoursWhereAMonthIsNot) {
  go_to("2024-02-29T18:00:00Z");
  const std::string project = open_in("Asia/Kolkata");  // March begins there at 18:30
  for (const char* time : {"2024-02-29T18:29:59.999Z", "2024-02-29T18:30:00Z", "2024-02-29T18:59:59.999Z",
                           "2024-02-29T19:00:00Z"}) {
    go_to(time);
    serve(project);
  }
  const auto rows = ledger_
                        ->read<std::vector<UsageRow>>([&](State& state) {
                          return hourly_usage(state, organisations_["Asia/Kolkata"],
                                              {parse_iso8601("2024-02-29T18:00:00Z").value(),
                                               parse_iso8601("2024-02-29T20:00:00Z").value()});
                        })
                        .value();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].sums.requests, 3);
  EXPECT_EQ(rows[1].sums.requests, 1);
  EXPECT_EQ(in_month("Asia/Kolkata", "2024-02").requests, 1);
  EXPECT_EQ(in_month("Asia/Kolkata", "2024-03").requests, 3);
}

}  // namespace
}  // namespace feilun::ledger
