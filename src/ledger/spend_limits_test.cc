#include "ledger/spend_limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "ledger/accounts_fixture.h"
#include "ledger/limit_scope.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class LimitsTest : public AccountsTest {
 protected:
  LimitsTest() { credit("1000"); }

  SpendLimit limit(Measure measure, int64_t window_s, Quantity bound) {
    SpendLimit limit{.scope = project_id(), .measure = measure, .window_s = window_s, .bound = bound};
    return limit;
  }
  Result<SpendLimit> try_set(const SpendLimit& limit) {
    return ledger_->write<SpendLimit>([&](Books& books) { return books.set_limit(limit); });
  }
  SpendLimit set(const SpendLimit& limit) {
    const auto made = try_set(limit);
    EXPECT_TRUE(made) << made.error().message;
    return made.value_or(SpendLimit());
  }
  LimitUse use_of(const SpendLimit& limit) {
    return ledger_->read<LimitUse>([&](State& state) { return limit_use(state, limit, clock_.wall()); })
        .value();
  }
  Result<Hold> hold(TokenCount input = 100, TokenCount slice = 10) {
    return ledger_->hold_now(request("req_" + std::to_string(++holds_), input, slice));
  }
  std::string last() const { return "req_" + std::to_string(holds_); }

  int holds_ = 0;
};

constexpr Quantity count(int64_t value) {
  return Quantity::pico(value);
}

TEST_F(LimitsTest, RequestsBeyondARollingBoundWaitUntilTheOldestLeaves) {
  set(limit(Measure::kRequests, 5 * 3600, count(2)));
  ASSERT_TRUE(hold());
  clock_.advance(hours(1));
  ASSERT_TRUE(hold());
  const auto refused = hold();
  ASSERT_EQ(refused.error().code, ErrorCode::kRateLimited);
  EXPECT_NE(refused.error().message.find("allows 2 requests in 5h"), std::string::npos)
      << refused.error().message;
  // The oldest bucket, of a minute, is over four hours from now at the earliest and a minute more at the
  // latest.
  EXPECT_GE(refused.error().retry_after_s, 4 * 3600);
  EXPECT_LE(refused.error().retry_after_s, 4 * 3600 + 60);
  clock_.advance(seconds(refused.error().retry_after_s - 1));
  EXPECT_EQ(hold().error().code, ErrorCode::kRateLimited);
  clock_.advance(seconds(1));
  EXPECT_TRUE(hold());
  EXPECT_EQ(hold().error().code, ErrorCode::kRateLimited);
  expect_verified();
}

TEST_F(LimitsTest, TokensCountTheirWorstCaseAndThenWhatWasUsed) {
  const SpendLimit tokens = set(limit(Measure::kTokens, 3600, count(200)));
  ASSERT_TRUE(hold(100, 10));
  EXPECT_EQ(use_of(tokens).pending, count(110));
  const Hold cut = hold(80, 64).value();
  EXPECT_EQ(cut.output_tokens, 10);
  EXPECT_TRUE(cut.exhausted);
  EXPECT_TRUE(top_up(last(), 1).exhausted);
  EXPECT_EQ(hold(1, 1).error().code, ErrorCode::kRateLimited);
  settle("req_1", {.input_fresh = 50, .output = 5});
  EXPECT_EQ(use_of(tokens).pending, count(90));
  EXPECT_EQ(use_of(tokens).used, count(55));
  EXPECT_EQ(top_up("req_2", 60).output_tokens, 65);
  release("req_2");
  EXPECT_EQ(use_of(tokens).pending, count(0));
  EXPECT_EQ(use_of(tokens).used, count(55));
  EXPECT_TRUE(hold(145, 0));
  EXPECT_EQ(hold(1, 0).error().code, ErrorCode::kRateLimited);
  expect_verified();
}

TEST_F(LimitsTest, SpendIsCutAtItsBoundAndRefusedBeyond) {
  const SpendLimit spend = set(limit(Measure::kSpend, 0, yuan("0.000036")));
  const Hold first = hold(100, 64).value();  // 30 micro-yuan of input, 0.6 for each output token
  EXPECT_EQ(first.output_tokens, 10);
  EXPECT_TRUE(first.exhausted);
  const auto refused = hold(1, 1);
  ASSERT_EQ(refused.error().code, ErrorCode::kInsufficientQuota);
  settle("req_1", {.input_fresh = 100});
  EXPECT_EQ(use_of(spend).used, yuan("0.00003"));
  EXPECT_EQ(hold(0, 64)->output_tokens, 10);
  release(last());
  const auto over = hold(19, 1);
  ASSERT_EQ(over.error().code, ErrorCode::kInsufficientQuota);
  EXPECT_NE(over.error().message.find("0.000036 CNY a month"), std::string::npos) << over.error().message;
  EXPECT_NE(over.error().message.find("2023-12-01T00:00:00Z"), std::string::npos) << over.error().message;
  EXPECT_GT(over.error().retry_after_s, 0);
  clock_.advance(seconds(over.error().retry_after_s));
  EXPECT_TRUE(hold(19, 1));
  expect_verified();
}

TEST_F(LimitsTest, MonthBeginsInTheOrganisationsTimeZone) {
  const auto shanghai = ledger_->write<Organisation>([](Books& books) {
    return books.create_organisation({.name = "acme", .currency = "CNY", .time_zone = "Asia/Shanghai"});
  });
  ASSERT_TRUE(shanghai);
  ASSERT_TRUE(ledger_->credit("acme", yuan("1"), "CNY", "", ""));
  const Project red =
      ledger_->write<Project>([](Books& books) { return books.create_project("red", "CNY", "acme"); })
          .value();
  SpendLimit one = limit(Measure::kRequests, 0, count(1));
  one.scope = shanghai->id;
  set(one);
  const auto ask = [&](const std::string& id) {
    HoldRequest asked = request(id, 1, 1);
    asked.project_id = red.id;
    return ledger_->hold_now(asked);
  };
  const WallTime december = parse_iso8601("2023-11-30T16:00:00Z").value();
  clock_.advance(december - clock_.wall() - std::chrono::milliseconds(1));
  ASSERT_TRUE(ask("r1"));
  EXPECT_EQ(ask("r2").error().retry_after_s, 1);
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(ask("r3"));
  expect_verified();
}

TEST_F(LimitsTest, RequestThatNeverFitsIsToldSo) {
  set(limit(Measure::kTokens, 60, count(50)));
  const auto refused = hold(100, 1);
  ASSERT_EQ(refused.error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(refused.error().retry_after_s, 0);
  EXPECT_NE(refused.error().message.find("this request alone"), std::string::npos);
}

TEST_F(LimitsTest, KeyProjectAndOrganisationEachLimit) {
  const Key key = ledger_->create_key("default", "k", KeyRole::kProject)->key;
  SpendLimit of_key = limit(Measure::kRequests, 60, count(1));
  of_key.scope = key.id;
  set(of_key);
  SpendLimit of_all = limit(Measure::kRequests, 60, count(2));
  of_all.scope = "default";
  set(of_all);
  HoldRequest asked = request("r1", 1, 1);
  asked.key_id = key.id;
  ASSERT_TRUE(ledger_->hold_now(asked));
  asked.request_id = "r2";
  EXPECT_EQ(ledger_->hold_now(asked).error().code, ErrorCode::kRateLimited);
  ASSERT_TRUE(ledger_->hold_now(request("r3", 1, 1)));
  EXPECT_EQ(ledger_->hold_now(request("r4", 1, 1)).error().code, ErrorCode::kRateLimited);
  of_all.measure = Measure::kSpend;
  EXPECT_EQ(try_set(of_all).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(LimitsTest, CountsOnlyRequestsHeldAfterItWasMade) {
  ASSERT_TRUE(hold(100, 10));
  const SpendLimit tokens = set(limit(Measure::kTokens, 3600, count(1000)));
  settle("req_1", {.input_fresh = 100});
  EXPECT_EQ(use_of(tokens).used, count(0));
  EXPECT_EQ(use_of(tokens).pending, count(0));
}

TEST_F(LimitsTest, LimitChangesItsBoundAndEnds) {
  SpendLimit one = set(limit(Measure::kRequests, 60, count(1)));
  ASSERT_TRUE(hold());
  ASSERT_FALSE(hold());
  one.bound = count(2);
  set(one);
  ASSERT_TRUE(hold());
  ASSERT_FALSE(hold());
  one.window_s = 61;
  EXPECT_EQ(try_set(one).error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(ledger_->write<void>([&](Books& books) { return books.end_limit(one.id); }));
  EXPECT_TRUE(hold());
  EXPECT_EQ(ledger_->write<void>([&](Books& books) { return books.end_limit(one.id); }).error().code,
            ErrorCode::kNotFound);
  expect_verified();
}

TEST_F(LimitsTest, RefusesImpossibleLimits) {
  EXPECT_EQ(try_set(limit(Measure::kTokens, 60, count(-1))).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(try_set(limit(Measure::kTokens, -60, count(1))).error().code, ErrorCode::kInvalidArgument);
  SpendLimit odd = limit(Measure::kTokens, 60, count(1));
  odd.alerts = {80, 80};
  EXPECT_EQ(try_set(odd).error().code, ErrorCode::kInvalidArgument);
  odd.alerts = {0};
  EXPECT_EQ(try_set(odd).error().code, ErrorCode::kInvalidArgument);
  odd.alerts = {};
  odd.scope = "nobody";
  EXPECT_EQ(try_set(odd).error().code, ErrorCode::kNotFound);
}

TEST_F(LimitsTest, TheOperatorAndTheCustomerHaveSixteenPlacesEach) {
  SpendLimit asked = limit(Measure::kRequests, 60, count(1000));
  for (const bool by_operator : {true, false}) {
    asked.by_operator = by_operator;
    for (int i = 0; i < 16; ++i) EXPECT_TRUE(try_set(asked)) << by_operator << ' ' << i;
    EXPECT_EQ(try_set(asked).error().code, ErrorCode::kInvalidArgument) << by_operator;
  }
  expect_verified();
}

TEST(Windows, AreReadAsTheyAreWritten) {
  for (const char* text : {"month", "90s", "5h", "7d", "30d", "1m"}) {
    EXPECT_EQ(window_name(parse_window(text).value()), text);
  }
  EXPECT_EQ(parse_window("5h").value(), 18'000);
  EXPECT_EQ(window_name(parse_window("60s").value()), "1m");
  for (const char* text : {"", "h", "0h", "-5h", "5", "5 h", "5hh", "401d", "99999999999999999999d"}) {
    EXPECT_FALSE(parse_window(text)) << text;
  }
}

TEST(LimitWindow, NeverCountsLessThanTheTrueWindowNorMuchMore) {
  std::mt19937_64 random(7);
  const auto below = [&](int64_t bound) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(bound));
  };
  for (const int64_t length : {1, 7, 299, 300, 301, 18'000, 2'592'000}) {
    const SpendLimit limit{.id = "lim", .window_s = length};
    const auto bucket = seconds((length + 299) / 300);
    struct Use {
      WallTime time;
      int64_t count;
    };
    std::vector<Use> uses;
    LimitWindow window(limit, WallTime(), {});
    WallTime now(seconds(1'700'000'000));
    for (int i = 0; i < 500; ++i) {
      now += std::chrono::microseconds(below(1 + length * 20'000));
      window.move_to(now, {});
      const int64_t amount = below(100);
      window.use(Quantity::pico(amount));
      uses.push_back({now, amount});
      int64_t least = 0;
      int64_t most = 0;
      for (const Use& use : uses) {
        if (use.time > now - seconds(length)) least += use.count;
        if (use.time > now - seconds(length) - bucket) most += use.count;
      }
      ASSERT_GE(window.used().pico(), least) << length << " s, step " << i;
      ASSERT_LE(window.used().pico(), most) << length << " s, step " << i;
    }
  }
}

}  // namespace
}  // namespace feilun::ledger
