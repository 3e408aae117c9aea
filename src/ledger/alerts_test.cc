#include "ledger/alerts.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "ledger/accounts_fixture.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class AlertsTest : public AccountsTest {
 protected:
  AlertsTest() { credit("1000"); }

  Webhook listen(const std::string& url = "https://example.com/hook") {
    const auto made = ledger_->write<Webhook>(
        [&](Books& books) { return books.set_webhook({.organisation = "default", .url = url}); });
    EXPECT_TRUE(made) << made.error().message;
    return made.value_or(Webhook());
  }
  SpendLimit limit(Measure measure, int64_t window_s, Quantity bound, std::vector<int64_t> alerts) {
    SpendLimit limit{.scope = project_id(), .measure = measure, .window_s = window_s, .bound = bound};
    limit.hard = false;
    limit.alerts = std::move(alerts);
    return ledger_->write<SpendLimit>([&](Books& books) { return books.set_limit(limit); }).value();
  }
  void serve(TokenCount tokens) {
    const std::string id = "req_" + std::to_string(++requests_);
    ASSERT_TRUE(ledger_->hold_now(request(id, tokens, 0)));
    settle(id, {.input_fresh = tokens});
  }
  std::vector<Notification> due(int64_t most = 100) {
    return ledger_
        ->read<std::vector<Notification>>([&](State& state) -> Result<std::vector<Notification>> {
          return TRY(read_outbox(state, clock_.wall(), {.due = most})).due;
        })
        .value();
  }
  void answer(const Notification& notification, bool delivered) {
    ASSERT_TRUE(ledger_->write<void>([&](Books& books) { return books.notified(notification, delivered); }));
  }

  int requests_ = 0;
};

TEST_F(AlertsTest, OneWebhookForWhichMuchIsDueHidesNoOther) {
  const Webhook first = listen();
  limit(Measure::kTokens, 3600, Quantity::pico(100), {10, 20, 30});
  serve(30);
  const Webhook second = listen();
  clock_.advance(std::chrono::seconds(1));
  limit(Measure::kTokens, 3600, Quantity::pico(100), {10});
  serve(10);
  const auto outbox = [&](const OutboxBounds& bounds) {
    return ledger_->read<Outbox>([&](State& state) { return read_outbox(state, clock_.wall(), bounds); })
        .value();
  };
  EXPECT_EQ(outbox({}).waiting, 5);
  EXPECT_EQ(outbox({}).due.size(), 5u);
  const auto one_of_each = outbox({.of_each = 1}).due;
  ASSERT_EQ(one_of_each.size(), 2u);
  EXPECT_EQ(one_of_each[0].webhook.id, first.id);
  EXPECT_EQ(one_of_each[1].webhook.id, second.id);

  answer(one_of_each[0], false);
  auto waiting = ledger_->read<std::map<std::string, Backlog, std::less<>>>(backlogs).value();
  EXPECT_EQ(waiting[first.id].waiting, 4);
  EXPECT_EQ(waiting[first.id].failed, 1);
  EXPECT_EQ(waiting[second.id].waiting, 1);
  EXPECT_EQ(waiting[second.id].next_try, one_of_each[1].due);
}

TEST_F(AlertsTest, TellsOncePerThresholdAndPeriod) {
  const Webhook webhook = listen();
  const SpendLimit tokens = limit(Measure::kTokens, 3600, Quantity::pico(100), {50, 80, 100});
  serve(49);
  EXPECT_TRUE(due().empty());
  serve(1);
  ASSERT_EQ(due().size(), 1u);
  const Notification first = due()[0];
  EXPECT_EQ(first.alert.percent, 50);
  EXPECT_EQ(first.alert.limit_id, tokens.id);
  EXPECT_EQ(first.alert.used, Quantity::pico(50));
  EXPECT_EQ(first.alert.until, clock_.wall() + hours(1));
  EXPECT_EQ(first.webhook.url, webhook.url);
  answer(first, true);
  EXPECT_TRUE(due().empty());
  serve(10);
  EXPECT_TRUE(due().empty());
  serve(60);  // two thresholds at once; the limit only alerts
  ASSERT_EQ(due().size(), 2u);
  EXPECT_EQ(due()[1].alert.percent, 100);
  for (const Notification& one : due()) answer(one, true);
  clock_.advance(hours(2));
  serve(50);
  ASSERT_EQ(due().size(), 1u);
  EXPECT_EQ(due()[0].alert.percent, 50);
  expect_verified();
}

TEST_F(AlertsTest, LooksAtWhatWasUsedNotAtWhatIsHeld) {
  listen();
  limit(Measure::kTokens, 3600, Quantity::pico(100), {50});
  ASSERT_TRUE(ledger_->hold_now(request("r", 90, 0)));
  EXPECT_TRUE(due().empty());
  settle("r", {.input_fresh = 10});
  EXPECT_TRUE(due().empty());
}

TEST_F(AlertsTest, TriesAgainLaterAndGivesUpInTheEnd) {
  listen();
  limit(Measure::kRequests, 0, Quantity::pico(1), {100});
  serve(1);
  ASSERT_EQ(due().size(), 1u);
  int tries = 0;
  std::vector<int64_t> pauses;
  while (!due().empty()) {
    const Notification one = due()[0];
    EXPECT_EQ(one.tries, tries++);
    answer(one, false);
    answer(one, false);  // late news of the same try changes nothing
    int64_t waited = 0;
    for (; due().empty() && waited < 100'000; waited += 10) clock_.advance(seconds(10));
    pauses.push_back(waited);
  }
  EXPECT_EQ(tries, 9);
  pauses.pop_back();
  EXPECT_EQ(pauses.front(), 10);
  EXPECT_EQ(pauses.back(), 20 * 3600);
  EXPECT_TRUE(std::ranges::is_sorted(pauses));
  reopen();
  EXPECT_TRUE(due().empty());
  expect_verified();
}

TEST_F(AlertsTest, EachWebhookIsToldAndAnEndedOneNoMore) {
  const Webhook red = listen("https://red.example/");
  listen("http://blue.example/");
  limit(Measure::kRequests, 0, Quantity::pico(1), {100});
  serve(1);
  EXPECT_EQ(due().size(), 2u);
  EXPECT_EQ(due(1).size(), 1u);
  ASSERT_TRUE(ledger_->write<void>([&](Books& books) { return books.end_webhook(red.id); }));
  ASSERT_EQ(due().size(), 1u);
  EXPECT_EQ(due()[0].webhook.url, "http://blue.example/");
  reopen();
  EXPECT_EQ(due().size(), 1u);
  expect_verified();
}

TEST_F(AlertsTest, WebhookKeepsItsSecretWhenItsUrlChanges) {
  Webhook webhook = listen();
  EXPECT_TRUE(webhook.secret.starts_with("whsec_"));
  EXPECT_NE(listen("https://other.example/").secret, webhook.secret);
  const std::string secret = std::exchange(webhook.secret, "chosen");
  webhook.url = "https://moved.example/";
  const auto moved = ledger_->write<Webhook>([&](Books& books) { return books.set_webhook(webhook); });
  EXPECT_EQ(moved->secret, secret);
  for (const char* url : {"", "ftp://x", "example.com", "https://exam ple.com", "https://\n"}) {
    const auto refused = ledger_->write<Webhook>(
        [&](Books& books) { return books.set_webhook({.organisation = "default", .url = url}); });
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << url;
  }
}

TEST_F(AlertsTest, BodySaysWhatHappened) {
  listen();
  const SpendLimit spend = limit(Measure::kSpend, 0, yuan("0.00003"), {80});
  serve(90);
  ASSERT_EQ(due().size(), 1u);
  const auto body = JsonDocument::parse(body_of(due()[0].alert)).value();
  const auto text = [&](const char* pointer) {
    return std::string(body.root().at_pointer(pointer).get_string().value());
  };
  EXPECT_EQ(text("/type"), "limit.alert");
  EXPECT_EQ(text("/id"), "alert_" + std::to_string(due()[0].alert.sequence));
  EXPECT_EQ(text("/data/limit"), spend.id);
  EXPECT_EQ(text("/data/measure"), "spend");
  EXPECT_EQ(text("/data/window"), "month");
  EXPECT_EQ(text("/data/used"), "0.000027");
  EXPECT_EQ(text("/data/bound"), "0.00003");
  EXPECT_EQ(text("/data/currency"), "CNY");
  EXPECT_EQ(text("/data/until"), "2023-12-01T00:00:00Z");
  EXPECT_EQ(body.root().at_pointer("/data/percent").get_int64().value(), 80);
}

TEST(Signature, IsHmacSha256OverTimeAndBody) {
  // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_test
  EXPECT_EQ(signature_of("whsec_test", R"({"a":1})", WallTime(seconds(1'700'000'000))),
            "t=1700000000,v1=38877139021993b830af32feea6e18a8da83eb2f6e49ee50bd9e4cf4ca4d3789");
}

}  // namespace
}  // namespace feilun::ledger
