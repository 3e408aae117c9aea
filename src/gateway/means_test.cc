// Who cannot pay costs the server no tokeniser: large bodies over a real socket, with a real ledger.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/log.h"
#include "base/temporary_directory.h"
#include "gateway/gateway.h"
#include "gateway/scripted_world.h"
#include "net/raw_client.h"

namespace feilun::gateway {
namespace {

using net::RawClient;
using net::RawReply;
using ::testing::HasSubstr;

/// Counts the texts that it was given to tokenise. Each byte is a token.
class CountingDeployment final : public testing::ScriptedDeployment {
 public:
  Result<std::vector<engine::TokenId>> encode_chat(const engine::ChatInput& input) const override {
    ++encoded;
    return std::vector<engine::TokenId>(input.messages_json.size(), 1);
  }
  std::vector<engine::TokenId> encode_text(std::string_view text) const override {
    ++encoded;
    return ScriptedDeployment::encode_text(text);
  }
  TokenCount context() const override { return 1000; }

  mutable std::atomic<int> encoded = 0;
};

class MeansTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::off);
    ledger_ = *ledger::Ledger::open({.directory = directory_.path(), .serving = true});
    set_price(300'000);
    deployments_.add(deployment_);
    GatewayOptions options;
    options.listen = {.port = 0};
    gateway_ = *Gateway::open(std::move(options), deployments_, *ledger_);
    gateway_->start();
    ASSERT_TRUE(ledger_->create_project("poor", "CNY"));
    key_ = ledger_->create_key("poor", "test", ledger::KeyRole::kProject)->secret;
  }
  void set_price(int64_t pico) {
    ledger::PriceVersion price{.offering = "scripted", .currency = "CNY"};
    const Money unit = Money::pico(pico);
    price.rows = pricing::flat_rows({unit, unit, unit, unit, unit});
    ASSERT_TRUE(ledger_->set_price(price));
  }
  RawReply ask(std::string_view path, std::string_view fields) {
    RawClient client(gateway_->port());
    const std::string body = fmt::format(R"({{"model":"scripted",{}}})", fields);
    client.send(
        fmt::format("POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{}",
                    path, key_, body.size(), body));
    return client.read_reply();
  }
  RawReply complete(size_t bytes) {
    return ask("/v1/completions", fmt::format(R"("prompt":"{}")", std::string(bytes, 'a')));
  }

  const TemporaryDirectory directory_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::shared_ptr<CountingDeployment> deployment_ = std::make_shared<CountingDeployment>();
  Deployments deployments_;
  std::unique_ptr<Gateway> gateway_;
  std::string key_;
};

TEST_F(MeansTest, WithoutMoneyALargePromptIsRefusedBeforeItIsTokenised) {
  const std::string text(40'000, 'a');
  for (const auto& [path, fields] :
       {std::pair("/v1/completions", fmt::format(R"("prompt":"{}")", text)),
        std::pair("/v1/chat/completions",
                  fmt::format(R"("messages":[{{"role":"user","content":"{}"}}])", text))}) {
    const RawReply reply = ask(path, fields);
    EXPECT_EQ(reply.status, 429) << path;
    EXPECT_THAT(reply.body, HasSubstr("insufficient_quota"));
    EXPECT_THAT(reply.head, HasSubstr("x-should-retry: false"));
  }
  EXPECT_EQ(deployment_->encoded, 0);
}

TEST_F(MeansTest, WithMoneyOrWhereNothingCostsAnythingTheRequestIsReadAsEver) {
  set_price(0);
  EXPECT_THAT(complete(40'000).body, HasSubstr("context_length_exceeded"));
  set_price(300'000);
  EXPECT_THAT(complete(40'000).body, HasSubstr("insufficient_quota"));
  // Enough for one token and the one that answers it.
  ASSERT_TRUE(ledger_->credit("poor", Money::pico(600'000), "CNY", "test", ""));
  EXPECT_THAT(complete(40'000).body, HasSubstr("context_length_exceeded"));
  EXPECT_EQ(deployment_->encoded, 2);
}

TEST_F(MeansTest, WhatIsWrongWithARequestIsToldByWhoReadsIt) {
  const std::string filler(40'000, ' ');
  EXPECT_EQ(ask("/v1/completions", fmt::format(R"("prompt":5{})", filler)).status, 429);
  ASSERT_TRUE(ledger_->credit("poor", Money::pico(600'000), "CNY", "test", ""));
  EXPECT_EQ(ask("/v1/completions", fmt::format(R"("prompt":5{})", filler)).status, 400);
  EXPECT_EQ(ask("/v1/completions", fmt::format(R"("prompt":{})", filler)).status, 400);
}

TEST_F(MeansTest, APromptThatIsFarTooLongIsNotCountedToItsEnd) {
  ASSERT_TRUE(ledger_->credit("poor", *Money::parse("1.00"), "CNY", "test", ""));
  EXPECT_THAT(complete(2'000).body,
              HasSubstr("the prompt has 2000 tokens, but this model's window holds 1000"));
  EXPECT_THAT(complete(2'001).body,
              HasSubstr("the prompt has more than 2000 tokens, but this model's window holds 1000"));
}

}  // namespace
}  // namespace feilun::gateway
