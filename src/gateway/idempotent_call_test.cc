// Idempotency keys over a real socket and a real ledger; the model is a script.
#include "gateway/idempotent_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "base/log.h"
#include "base/temporary_directory.h"
#include "gateway/gateway.h"
#include "gateway/scripted_world.h"
#include "ledger/audit.h"
#include "net/raw_client.h"

namespace feilun::gateway {
namespace {

using net::RawClient;
using net::RawReply;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ScriptedDeployment;

/// Generates as far as it may as soon as it may.
class SpeakingDeployment : public ScriptedDeployment {
 public:
  Result<> submit(engine::Generation generation, engine::EventSink sink) override {
    TRY(ScriptedDeployment::submit(std::move(generation), std::move(sink)));
    speak();
    return {};
  }
  void allow(std::string_view id, TokenCount total, bool final) override {
    ScriptedDeployment::allow(id, total, final);
    speak();
  }
  void cancel(std::string_view id) override {
    ScriptedDeployment::cancel(id);
    for (size_t i = 0; i < submitted(); ++i) {
      if (live(i).cancelled) step(i);
    }
  }
  void speak() {
    for (size_t i = 0; i < submitted() && !silent_; ++i) {
      while (step(i)) {
      }
    }
  }
  std::atomic<bool> silent_ = false;
};

class IdempotentCallTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::off);
    deployments_.add(deployment_);
    open();
    ledger::PriceVersion price{.offering = "scripted", .currency = "CNY"};
    const Money each = Money::pico(300'000);
    price.rows = pricing::flat_rows({each, each, each, each, each});
    price.effective_from = clock_.wall() - std::chrono::hours(1);
    ASSERT_TRUE(ledger_->set_price(price));
    ASSERT_TRUE(ledger_->credit("default", *Money::parse("1.00"), "CNY", "", ""));
    key_ = ledger_->create_key("default", "one", ledger::KeyRole::kProject)->secret;
  }
  void TearDown() override {
    gateway_.reset();
    ledger_.reset();
    const auto report = ledger::verify(directory_.path());
    ASSERT_TRUE(report);
    EXPECT_THAT(report->findings(), ::testing::IsEmpty());
    EXPECT_EQ(report->open_holds, 0);
  }
  void open() {
    gateway_.reset();
    ledger_.reset();
    ledger_ = *ledger::Ledger::open({.directory = directory_.path(), .serving = true, .clock = &clock_});
    gateway_ = *Gateway::open(
        {.listen = {.port = 0}, .stop_grace = std::chrono::milliseconds(100), .clock = &clock_}, deployments_,
        *ledger_);
    gateway_->start();
  }
  std::string request(std::string_view idempotency_key, std::string_view body, std::string_view path) {
    return fmt::format(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {}\r\n"
        "Content-Length: {}\r\n\r\n{}",
        path, key_, idempotency_key, body.size(), body);
  }
  RawReply ask(std::string_view idempotency_key, std::string_view body,
               std::string_view path = "/v1/completions") {
    RawClient client(gateway_->port());
    client.send(request(idempotency_key, body, path));
    return client.read_reply();
  }
  int64_t charged_requests() { return ledger_->usage("default")->requests; }

  static constexpr std::string_view kBody = R"({"model":"scripted","prompt":"abc","max_tokens":3})";
  static constexpr std::string_view kStream =
      R"({"model":"scripted","prompt":"abc","max_tokens":50,"stream":true})";

  TemporaryDirectory directory_;
  ManualClock clock_;
  std::shared_ptr<SpeakingDeployment> deployment_ = std::make_shared<SpeakingDeployment>();
  Deployments deployments_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<Gateway> gateway_;
  std::string key_;
};

TEST_F(IdempotentCallTest, TheSameAgainGetsTheSameReplyAndIsChargedOnce) {
  const RawReply first = ask("order-7", kBody);
  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_THAT(first.head, Not(HasSubstr("idempotent-replayed")));
  for (int i = 0; i < 3; ++i) {
    const RawReply again = ask("order-7", kBody);
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.body, first.body);
    EXPECT_THAT(again.head, HasSubstr("idempotent-replayed: true"));
    EXPECT_THAT(again.head, HasSubstr("content-type: application/json"));
  }
  EXPECT_EQ(charged_requests(), 1);
  EXPECT_NE(ask("order-8", kBody).body, first.body);
  EXPECT_EQ(charged_requests(), 2);
}

TEST_F(IdempotentCallTest, AStreamIsReplayedByteForByte) {
  const RawReply first = ask("order-7", kStream);
  ASSERT_EQ(first.status, 200);
  EXPECT_THAT(first.body, HasSubstr("data: [DONE]"));
  const RawReply again = ask("order-7", kStream);
  EXPECT_EQ(again.body, first.body);
  EXPECT_THAT(again.head, HasSubstr("content-type: text/event-stream"));
  EXPECT_EQ(charged_requests(), 1);
}

TEST_F(IdempotentCallTest, AnotherBodyOrEndpointIsRefused) {
  ASSERT_EQ(ask("order-7", kBody).status, 200);
  const RawReply other = ask("order-7", kStream);
  EXPECT_EQ(other.status, 422);
  EXPECT_THAT(other.body, HasSubstr(R"("code":"idempotency_key_reused")"));
  EXPECT_THAT(other.head, HasSubstr("x-should-retry: false"));
  EXPECT_EQ(ask("order-7", kBody, "/v1/chat/completions").status, 422);
  EXPECT_EQ(charged_requests(), 1);
}

TEST_F(IdempotentCallTest, ARestartForgetsNothing) {
  const RawReply first = ask("order-7", kBody);
  open();
  EXPECT_EQ(ask("order-7", kBody).body, first.body);
  EXPECT_EQ(charged_requests(), 1);
}

TEST_F(IdempotentCallTest, AfterADayTheRequestIsNamedAndNotRunAgain) {
  ASSERT_EQ(ask("order-7", kBody).status, 200);
  clock_.advance(std::chrono::hours(24));
  const RawReply late = ask("order-7", kBody);
  EXPECT_EQ(late.status, 409);
  EXPECT_THAT(late.body, HasSubstr(R"("code":"idempotency_key_used")"));
  EXPECT_THAT(late.body, HasSubstr(R"("request_id":"req_)"));
  EXPECT_THAT(late.head, HasSubstr("feilun-request-id: req_"));
  EXPECT_THAT(late.head, HasSubstr("x-should-retry: false"));
  EXPECT_EQ(charged_requests(), 1);
}

TEST_F(IdempotentCallTest, WhatIsStillInProgressIsWorthARetry) {
  deployment_->silent_ = true;
  RawClient slow(gateway_->port());
  slow.send(request("order-7", kBody, "/v1/completions"));
  while (ledger_->balance("default")->pending.is_zero()) std::this_thread::yield();
  const RawReply meanwhile = ask("order-7", kBody);
  EXPECT_EQ(meanwhile.status, 409);
  EXPECT_THAT(meanwhile.body, HasSubstr(R"("code":"idempotency_key_in_use")"));
  EXPECT_THAT(meanwhile.head, HasSubstr("retry-after: 1"));
  EXPECT_THAT(meanwhile.head, HasSubstr("x-should-retry: true"));
  slow.close();
}

TEST_F(IdempotentCallTest, ManyAtOnceAreOneRequest) {
  std::atomic<int> served = 0;
  std::latch start(8);
  std::vector<std::jthread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      start.arrive_and_wait();
      const RawReply reply = ask("order-7", kBody);
      if (reply.status == 200) ++served;
      if (reply.status != 200) EXPECT_EQ(reply.status, 409) << reply.body;
    });
  }
  clients.clear();
  EXPECT_GE(served, 1);
  EXPECT_EQ(charged_requests(), 1);
}

TEST_F(IdempotentCallTest, ARequestThatWasNotChargedMayRunAgain) {
  deployment_->refuse_submissions_after_ = 0;
  EXPECT_EQ(ask("order-7", kBody).status, 503);
  EXPECT_EQ(ask("order-7", kBody).status, 200);
  EXPECT_EQ(ask("order-9", R"({"model":"none","prompt":"a"})").status, 404);
  EXPECT_EQ(ask("order-9", kBody).status, 200);
  EXPECT_EQ(charged_requests(), 2);
}

TEST_F(IdempotentCallTest, KeysAreOfOneApiKeyAndOfAForm) {
  ASSERT_EQ(ask("order-7", kBody).status, 200);
  key_ = ledger_->create_key("default", "two", ledger::KeyRole::kProject)->secret;
  EXPECT_THAT(ask("order-7", kBody).head, Not(HasSubstr("idempotent-replayed")));
  EXPECT_EQ(charged_requests(), 2);
  for (const std::string& key : {std::string(), std::string(256, 'a'), std::string("a b")}) {
    EXPECT_EQ(ask(key, kBody).status, 400) << key;
  }
  EXPECT_EQ(ask(std::string(255, 'a'), kBody).status, 200);
}

}  // namespace
}  // namespace feilun::gateway
