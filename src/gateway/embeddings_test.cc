// POST /v1/embeddings over a real socket, with a real ledger and the small BERT of tests/golden.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <semaphore>
#include <thread>

#include "base/json.h"
#include "base/log.h"
#include "base/temporary_directory.h"
#include "gateway/embedding_deployment.h"
#include "gateway/embedding_reply.h"
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

constexpr int128 kPrice = 500'000;  // pico-units a token: 0.5 CNY per million

/// The value at a JSON pointer, as JSON; empty when there is none.
std::string at(std::string_view text, std::string_view pointer) {
  const auto document = JsonDocument::parse(text);
  simdjson::dom::element value;
  if (!document || document->root().at_pointer(pointer).get(value) != simdjson::SUCCESS) return {};
  return simdjson::minify(value);
}

class EmbeddingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::off);
    ledger_ = *ledger::Ledger::open({.directory = directory_.path(), .serving = true});
    ledger::PriceVersion price{.offering = "bert", .currency = "CNY"};
    const Money input = Money::pico(kPrice);
    price.rows = pricing::flat_rows({input, input, input, Money(), Money()});
    price.effective_from = SystemClock().wall() - std::chrono::hours(1);
    ASSERT_TRUE(ledger_->set_price(price));
    const auto path = std::filesystem::path(FEILUN_SOURCE_DIR) / "tests/golden/models/tiny-bert";
    engine::EngineOptions options{.threads = 1, .prefill_chunk = 32, .max_waiting = 4};
    options.on_step = [this](const engine::StepTrace&) {
      ++passes_;
      if (gated_) gate_.acquire();
    };
    engine_ = *engine::EmbeddingEngine::start(*model::open_model(path), options);
    auto deployment = std::make_shared<EmbeddingDeployment>("bert", WallTime());
    deployment->become_ready(*engine_);
    deployments_.add(deployment);
    deployments_.add(std::make_shared<EmbeddingDeployment>("loading", WallTime()));
    deployments_.add(std::make_shared<testing::ScriptedDeployment>());
    open_gateway({});
    key_ = new_tenant("paying", "1.00");
  }
  void TearDown() override {
    open_gate();
    gateway_.reset();
    engine_.reset();
    ledger_.reset();
    const auto report = ledger::verify(directory_.path());
    ASSERT_TRUE(report);
    EXPECT_THAT(report->findings(), ::testing::IsEmpty());
    EXPECT_EQ(report->open_holds, 0);
  }

  void open_gateway(GatewayOptions options) {
    options.listen = {.port = 0};
    options.io_threads = 2;
    options.stop_grace = std::chrono::milliseconds(50);
    gateway_ = *Gateway::open(std::move(options), deployments_, *ledger_);
    gateway_->start();
  }
  std::string new_tenant(const std::string& name, std::string_view amount) {
    EXPECT_TRUE(ledger_->create_project(name, "CNY"));
    if (amount != "0") EXPECT_TRUE(ledger_->credit(name, *Money::parse(amount), "CNY", "test", ""));
    return ledger_->create_key(name, "test", ledger::KeyRole::kProject)->secret;
  }
  static std::string http(std::string_view path, std::string_view key, std::string_view body) {
    return fmt::format(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{}", path, key,
        body.size(), body);
  }
  RawReply ask(std::string_view fields, std::string_view key = {}) {
    RawClient client(gateway_->port());
    client.send(http("/v1/embeddings", key.empty() ? key_ : key, fmt::format("{{{}}}", fields)));
    return client.read_reply();
  }
  std::vector<float> computed(std::string_view text) {
    std::promise<std::vector<float>> promise;
    EXPECT_TRUE(engine_->submit({"direct", {engine_->encode(text)}}, [&](engine::EmbeddingResult result) {
      promise.set_value(std::move(result.vectors));
    }));
    return promise.get_future().get();
  }
  ledger::UsageTotals settled_usage(std::string_view project) {
    while (!ledger_->balance(project)->pending.is_zero()) std::this_thread::yield();
    return *ledger_->usage(project);
  }
  /// From now on a pass waits, after it was computed and before its vectors are given out, for open_gate().
  void close_gate() { gated_ = true; }
  void open_gate() {
    gated_ = false;
    gate_.release(1000);
  }
  void wait_for_passes(int count) {
    while (passes_ < count) std::this_thread::yield();
  }

  const TemporaryDirectory directory_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::atomic<int> passes_ = 0;
  std::atomic<bool> gated_ = false;
  std::counting_semaphore<> gate_{0};
  std::unique_ptr<engine::EmbeddingEngine> engine_;
  Deployments deployments_;
  std::unique_ptr<Gateway> gateway_;
  std::string key_;
};

TEST_F(EmbeddingsTest, TheReplyHasTheEnginesVectorsAndTheExactCharge) {
  const RawReply reply = ask(R"("model":"bert","input":["What is feilun?","什么是飞轮？"])");
  ASSERT_EQ(reply.status, 200) << reply.body;
  std::string expected;
  append_vector(expected, computed("What is feilun?"), false);
  EXPECT_EQ(at(reply.body, "/data/0/embedding"), at(fmt::format("[{}]", expected), "/0"));
  EXPECT_EQ(at(reply.body, "/data/1/index"), "1");
  EXPECT_EQ(at(reply.body, "/usage"), R"({"prompt_tokens":15,"total_tokens":15})");
  EXPECT_EQ(at(reply.body, "/model"), R"("bert")");
  const Money cost = Money::pico(15 * kPrice);
  EXPECT_EQ(at(reply.body, "/feilun/charged"), fmt::format("\"{}\"", cost.to_string()));
  EXPECT_EQ(ledger_->balance("paying")->posted, *Money::parse("1.00") - cost);
  EXPECT_EQ(ledger_->usage("paying")->usage.input_fresh, 15);
}

TEST_F(EmbeddingsTest, FormatAndDimensionsChangeTheReplyAlone) {
  const RawReply base64 = ask(R"("model":"bert","input":"a","encoding_format":"base64")");
  std::string expected;
  append_vector(expected, computed("a"), true);
  EXPECT_EQ(at(base64.body, "/data/0/embedding"), expected);
  const RawReply shorter = ask(R"("model":"bert","input":"a","dimensions":3)");
  EXPECT_NE(at(shorter.body, "/data/0/embedding/2"), "");
  EXPECT_EQ(at(shorter.body, "/data/0/embedding/3"), "");
  EXPECT_EQ(at(shorter.body, "/usage"), at(base64.body, "/usage"));
  EXPECT_EQ(ask(R"("model":"bert","input":"a","dimensions":32)").status, 200);
  const RawReply longer = ask(R"("model":"bert","input":"a","dimensions":33)");
  EXPECT_EQ(longer.status, 400);
  EXPECT_EQ(at(longer.body, "/error/param"), R"("dimensions")");
  EXPECT_THAT(longer.body, HasSubstr("33"));
  EXPECT_THAT(longer.body, HasSubstr("32"));
}

TEST_F(EmbeddingsTest, TokensAreTakenAsTheyAre) {
  const auto tokens = engine_->encode("a");
  const RawReply text = ask(R"("model":"bert","input":"a")");
  const RawReply ids = ask(fmt::format(R"("model":"bert","input":[{}])", fmt::join(tokens, ",")));
  EXPECT_EQ(at(ids.body, "/data"), at(text.body, "/data"));
  const RawReply lists = ask(fmt::format(R"("model":"bert","input":[[1],[{}]])", fmt::join(tokens, ",")));
  EXPECT_EQ(at(lists.body, "/data/1/embedding"), at(text.body, "/data/0/embedding"));
  const RawReply unknown = ask(R"("model":"bert","input":[[1],[200]])");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(at(unknown.body, "/error/param"), R"("input[1]")");
}

TEST_F(EmbeddingsTest, TwoThousandTextsAreOneRequest) {
  std::string inputs;
  // White space is no token, but makes the body heavy: it is parsed away from the connection's thread.
  for (int i = 0; i < 2048; ++i) inputs += fmt::format("{}\"{:<30}\"", i == 0 ? "" : ",", i % 10);
  const RawReply reply = ask(fmt::format(R"("model":"bert","input":[{}])", inputs));
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(at(reply.body, "/data/2047/index"), "2047");
  EXPECT_EQ(at(reply.body, "/data/2047/embedding"), at(reply.body, "/data/7/embedding"));
  EXPECT_EQ(at(reply.body, "/usage/prompt_tokens"), "6144");
  EXPECT_EQ(ledger_->balance("paying")->posted, *Money::parse("1.00") - Money::pico(6144 * kPrice));
  const RawReply more = ask(fmt::format(R"("model":"bert","input":[{},"a"])", inputs));
  EXPECT_EQ(more.status, 400);
  EXPECT_THAT(more.body, HasSubstr("2048"));
}

TEST_F(EmbeddingsTest, TooLongAnInputNamesBothNumbersAndCostsNothing) {
  std::string longer;
  for (int i = 0; i < 130; ++i) longer += "a ";
  const RawReply reply = ask(fmt::format(R"("model":"bert","input":["a","{}"])", longer));
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(at(reply.body, "/error/code"), R"("context_length_exceeded")");
  EXPECT_EQ(at(reply.body, "/error/param"), R"("input[1]")");
  EXPECT_THAT(reply.body, HasSubstr("132"));
  EXPECT_THAT(reply.body, HasSubstr("128"));
  EXPECT_EQ(ledger_->usage("paying")->requests, 0);
}

TEST_F(EmbeddingsTest, EachKindOfModelAnswersItsOwnEndpoints) {
  const RawReply generating = ask(R"("model":"scripted","input":"a")");
  EXPECT_EQ(generating.status, 400);
  EXPECT_EQ(at(generating.body, "/error/code"), R"("unsupported")");
  EXPECT_EQ(at(generating.body, "/error/param"), R"("model")");
  for (const auto& [path, body] :
       {std::pair{"/v1/chat/completions", R"({"model":"bert","messages":[{"role":"user","content":"a"}]})"},
        std::pair{"/v1/completions", R"({"model":"bert","prompt":"a"})"}}) {
    RawClient client(gateway_->port());
    client.send(http(path, key_, body));
    const RawReply reply = client.read_reply();
    EXPECT_EQ(reply.status, 400) << path;
    EXPECT_THAT(reply.body, HasSubstr("/v1/embeddings")) << path;
  }
  EXPECT_EQ(ask(R"("model":"none","input":"a")").status, 404);
  EXPECT_EQ(ask(R"("model":"loading","input":"a")").status, 503);
}

TEST_F(EmbeddingsTest, ModelsTellWhichGiveVectors) {
  RawClient client(gateway_->port());
  client.send(fmt::format("GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", key_));
  const std::string body = client.read_reply().body;
  EXPECT_EQ(at(body, "/data/0/id"), R"("bert")");
  EXPECT_EQ(at(body, "/data/0/kind"), R"("embedding")");
  EXPECT_EQ(at(body, "/data/0/dimensions"), "32");
  EXPECT_EQ(at(body, "/data/0/context_length"), "128");
  EXPECT_EQ(at(body, "/data/2/kind"), R"("generation")");
  EXPECT_EQ(at(body, "/data/2/dimensions"), "");
}

TEST_F(EmbeddingsTest, WhoCannotPayForAllInputGetsNothing) {
  const std::string poor = new_tenant("poor", "0");
  const RawReply refused = ask(R"("model":"bert","input":"a")", poor);
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.body, HasSubstr(R"("code":"insufficient_quota")"));
  EXPECT_THAT(refused.head, HasSubstr("x-should-retry: false"));
  // Three tokens cost 1,500,000 pico-units: a pico-unit less does not pay, and that much pays exactly.
  const std::string short_of_one = new_tenant("short", "0.000001499999");
  EXPECT_EQ(ask(R"("model":"bert","input":"a")", short_of_one).status, 429);
  const std::string exact = new_tenant("exact", "0.0000015");
  EXPECT_EQ(ask(R"("model":"bert","input":"a")", exact).status, 200);
  EXPECT_TRUE(ledger_->balance("exact")->posted.is_zero());
  EXPECT_EQ(ask(R"("model":"bert","input":"a")", exact).status, 429);
}

TEST_F(EmbeddingsTest, AClientThatLeavesPaysForThePassesThatRan) {
  close_gate();
  {
    std::string inputs;
    for (int i = 0; i < 100; ++i) inputs += fmt::format("{}\"one two three four\"", i == 0 ? "" : ",");
    RawClient client(gateway_->port());
    client.send(http("/v1/embeddings", key_, fmt::format(R"({{"model":"bert","input":[{}]}})", inputs)));
    wait_for_passes(1);
  }
  // The gate holds the first pass; what the server sees next is that the client is gone.
  while (gateway_ && engine_->stats().running + engine_->stats().waiting > 0) {
    gate_.release(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const ledger::UsageTotals usage = settled_usage("paying");
  EXPECT_EQ(usage.usage.input_fresh, engine_->stats().prompt_tokens);
  EXPECT_GT(usage.usage.input_fresh, 0);
  EXPECT_LT(usage.usage.input_fresh, 600);
  EXPECT_EQ(usage.charged, Money::pico(kPrice) * usage.usage.input_fresh);
}

TEST_F(EmbeddingsTest, AFullQueueIsWorthARetryAndCostsNothing) {
  close_gate();
  std::vector<RawClient> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(gateway_->port());
    waiting.back().send(http("/v1/embeddings", key_, R"({"model":"bert","input":"a"})"));
  }
  while (engine_->stats().running + engine_->stats().waiting < 4) std::this_thread::yield();
  const RawReply reply = ask(R"("model":"bert","input":"a")");
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.head, HasSubstr("x-should-retry: true"));
  EXPECT_THAT(reply.body, HasSubstr("overloaded"));
  open_gate();
  for (RawClient& client : waiting) EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_EQ(settled_usage("paying").usage.input_fresh, 12);
}

TEST_F(EmbeddingsTest, RepliesOnTheirWayAreBoundedInBytesAndARefusalCostsNothing) {
  gateway_.reset();
  open_gateway({.reply_room = 1});
  close_gate();
  RawClient first(gateway_->port());
  first.send(http("/v1/embeddings", key_, R"({"model":"bert","input":"a"})"));
  wait_for_passes(1);
  const RawReply refused = ask(R"("model":"bert","input":"a")");
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.head, HasSubstr("x-should-retry: true"));
  open_gate();
  EXPECT_EQ(first.read_reply().status, 200);
  EXPECT_EQ(ledger_->usage("paying")->requests, 1);
  first.send(http("/v1/embeddings", key_, R"({"model":"bert","input":"a"})"));
  EXPECT_EQ(first.read_reply().status, 200);
}

TEST_F(EmbeddingsTest, AStoppingServerEndsWhatWaitsAndSettlesIt) {
  close_gate();
  RawClient client(gateway_->port());
  std::string inputs;
  for (int i = 0; i < 100; ++i) inputs += fmt::format("{}\"one two three four\"", i == 0 ? "" : ",");
  client.send(http("/v1/embeddings", key_, fmt::format(R"({{"model":"bert","input":[{}]}})", inputs)));
  wait_for_passes(1);
  gateway_->stop();
  std::this_thread::sleep_for(std::chrono::milliseconds(120));  // past the grace time
  open_gate();
  const RawReply reply = client.read_reply();
  gateway_->wait();
  EXPECT_EQ(reply.status, 503) << reply.body;
  EXPECT_THAT(reply.body, HasSubstr("the server is stopping"));
  EXPECT_THAT(reply.head, HasSubstr("x-should-retry: false"));
  EXPECT_EQ(ledger_->usage("paying")->usage.input_fresh, engine_->stats().prompt_tokens);
}

}  // namespace
}  // namespace feilun::gateway
