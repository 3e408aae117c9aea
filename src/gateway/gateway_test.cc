// The gateway over a real socket: what needs no model runs against scripts, the rest against real weights
// and a real ledger.
#include "gateway/gateway.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/json.h"
#include "base/log.h"
#include "base/temporary_directory.h"
#include "base/testdata.h"
#include "gateway/scripted_world.h"
#include "ledger/audit.h"
#include "net/raw_client.h"
#include "net/sse.h"

namespace feilun::gateway {
namespace {

using net::RawClient;
using net::RawReply;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ScriptedDeployment;
using testing::ScriptedLedger;

std::string http_request(std::string_view method, std::string_view path, std::string_view key,
                         std::string_view body = {}) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{}",
                     method, path, key, body.size(), body);
}

class GatewayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::off);
    loading_ = std::make_shared<EngineDeployment>("loading", WallTime(std::chrono::seconds(5)));
    deployments_.add(std::make_shared<ScriptedDeployment>());
    deployments_.add(loading_);
  }
  void open(GatewayOptions options = {}) {
    options.listen.port = 0;
    options.page = "<html>hello</html>";
    gateway_ = *Gateway::open(std::move(options), deployments_, ledger_);
    gateway_->start();
  }
  RawReply ask(std::string_view method, std::string_view path, std::string_view key = "sk-test",
               std::string_view body = {}) {
    RawClient client(gateway_->port());
    client.send(http_request(method, path, key, body));
    return client.read_reply();
  }

  ScriptedLedger ledger_;
  std::shared_ptr<EngineDeployment> loading_;
  Deployments deployments_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(GatewayTest, ServesWhatNeedsNoKey) {
  open();
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
  EXPECT_EQ(ask("GET", "/").body, "<html>hello</html>");
  const RawReply metrics = ask("GET", "/metrics");
  EXPECT_THAT(metrics.body, HasSubstr("feilun_http_requests_total{route=\"/healthz\",status=\"200\"} 1"));
  EXPECT_THAT(metrics.body, HasSubstr("feilun_engine_steps_total{model=\"scripted\"} 0"));
}

TEST_F(GatewayTest, IsNotReadyBeforeEveryModelIs) {
  open();
  const RawReply reply = ask("GET", "/readyz");
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, HasSubstr(R"("loading":false)"));
  const RawReply chat = ask("POST", "/v1/chat/completions", "sk-test",
                            R"({"model":"loading","messages":[{"role":"user","content":"a"}]})");
  EXPECT_EQ(chat.status, 503);
  EXPECT_THAT(chat.head, HasSubstr("retry-after: "));
}

TEST_F(GatewayTest, ChecksKeysAndRoles) {
  open();
  EXPECT_EQ(ask("GET", "/v1/models", "sk-wrong").status, 401);
  RawClient bare(gateway_->port());
  bare.send("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(bare.read_reply().status, 401);
  EXPECT_EQ(ask("GET", "/v1/models", "sk-admin").status, 200);
  EXPECT_EQ(ask("GET", "/feilun/v1/balance", "sk-admin").status, 200);
  EXPECT_EQ(ask("POST", "/v1/chat/completions", "sk-admin", "{}").status, 403);
}

TEST_F(GatewayTest, EveryReplyHasARequestId) {
  open();
  for (const char* path : {"/healthz", "/nowhere", "/v1/models", "/v1/models/none"}) {
    EXPECT_THAT(ask("GET", path).head, HasSubstr("x-request-id: req_")) << path;
  }
  RawClient garbage(gateway_->port());
  garbage.send("nonsense\r\n\r\n");
  const RawReply reply = garbage.read_reply();
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.head, HasSubstr("x-request-id: req_"));
  EXPECT_TRUE(JsonDocument::parse(reply.body));
}

TEST_F(GatewayTest, KnowsItsPathsAndMethods) {
  open();
  EXPECT_EQ(ask("GET", "/nowhere").status, 404);
  const RawReply wrong = ask("GET", "/v1/chat/completions");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_THAT(wrong.head, HasSubstr("allow: POST, OPTIONS"));
  EXPECT_EQ(ask("OPTIONS", "/v1/models").status, 204);
  EXPECT_EQ(ask("GET", "/v1/models/scripted").status, 200);
  EXPECT_THAT(ask("GET", "/v1/models/none").body, HasSubstr("model_not_found"));
  EXPECT_THAT(ask("GET", "/feilun/v1/balance").body, HasSubstr(R"("available":"1.50")"));
}

TEST_F(GatewayTest, CorsIsOffUnlessAsked) {
  open();
  EXPECT_THAT(ask("OPTIONS", "/v1/models").head, Not(HasSubstr("access-control")));
  open({.cors_origin = "https://app.example"});
  EXPECT_THAT(ask("OPTIONS", "/v1/models").head,
              HasSubstr("access-control-allow-origin: https://app.example"));
  EXPECT_THAT(ask("GET", "/v1/models").head, HasSubstr("access-control-allow-origin: https://app.example"));
}

TEST_F(GatewayTest, RefusesBadRequestsByField) {
  open();
  const RawReply reply = ask("POST", "/v1/chat/completions", "sk-test",
                             R"({"model":"scripted","messages":[{"role":"user","content":[5]}]})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.body, HasSubstr(R"("param":"messages[0].content[0]")"));
  EXPECT_EQ(ask("POST", "/v1/chat/completions", "sk-test", "").status, 400);
  EXPECT_THAT(ask("POST", "/v1/chat/completions", "sk-test",
                  R"({"model":"none","messages":[{"role":"user","content":"a"}]})")
                  .body,
              HasSubstr("model_not_found"));
  const std::string longer(100'001, 'a');
  const RawReply overflow = ask("POST", "/v1/completions", "sk-test",
                                fmt::format(R"({{"model":"scripted","prompt":"{}"}})", longer));
  EXPECT_EQ(overflow.status, 400);
  EXPECT_THAT(overflow.body, HasSubstr("context_length_exceeded"));
  EXPECT_THAT(overflow.body, HasSubstr("100001"));
  EXPECT_THAT(overflow.body, HasSubstr("100000"));
}

TEST_F(GatewayTest, WhatEveryChoiceKeepsACopyOfIsBounded) {
  open();
  const auto refusal = [&](std::string_view field) {
    const RawReply reply = ask("POST", "/v1/completions", "sk-test",
                               fmt::format(R"({{"model":"none","prompt":"a",{}}})", field));
    return fmt::format("{} {}", reply.status, reply.body);
  };
  const auto stop = [&](size_t bytes) { return fmt::format("\"{}\"", std::string(bytes, 's')); };
  const auto biased = [](int tokens) {
    std::string entries = R"("0":1)";
    for (int id = 1; id < tokens; ++id) entries += fmt::format(R"(,"{}":1)", id);
    return fmt::format(R"("logit_bias":{{{}}})", entries);
  };
  const auto at_field = [](std::string_view name) {
    return ::testing::AllOf(::testing::StartsWith("400 "), HasSubstr(fmt::format(R"("param":"{}")", name)));
  };
  EXPECT_THAT(refusal(fmt::format(R"("stop":{})", stop(1025))), at_field("stop"));
  EXPECT_THAT(refusal(fmt::format(R"("stop":["a",{}])", stop(1025))), at_field("stop"));
  EXPECT_THAT(refusal(fmt::format(R"("stop":[{0},{0},{0},{0}])", stop(1024))), HasSubstr("model_not_found"));
  EXPECT_THAT(refusal(biased(1025)), at_field("logit_bias"));
  EXPECT_THAT(refusal(biased(1024)), HasSubstr("model_not_found"));
}

/// Looking each key up again would find the first value of a repeated one, and take quadratic time.
TEST_F(GatewayTest, EachLogitBiasIsReadWhereItStands) {
  open();
  const RawReply reply = ask("POST", "/v1/completions", "sk-test",
                             R"({"model":"none","prompt":"a","logit_bias":{"7":null,"1":5,"1":500}})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.body, HasSubstr(R"("param":"logit_bias.1")"));
}

TEST_F(GatewayTest, SaysWhenTheMoneyOrTheLedgerIsGone) {
  ledger_.tokens_left_ = 0;
  open();
  const std::string body = R"({"model":"scripted","messages":[{"role":"user","content":"a"}]})";
  const RawReply poor = ask("POST", "/v1/chat/completions", "sk-test", body);
  EXPECT_EQ(poor.status, 429);
  EXPECT_THAT(poor.head, HasSubstr("x-should-retry: false"));
  EXPECT_THAT(poor.body, HasSubstr(R"("code":"insufficient_quota")"));
  ledger_.away_ = true;
  const RawReply away = ask("POST", "/v1/chat/completions", "sk-test", body);
  EXPECT_EQ(away.status, 503);
  EXPECT_THAT(away.head, HasSubstr("retry-after: 5"));
}

TEST_F(GatewayTest, RefusesFromTheHeadersWithoutReadingTheBody) {
  open();
  const auto status_of = [&](std::string_view line, std::string_view key) {
    RawClient client(gateway_->port());
    client.send(
        fmt::format("{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nExpect: 100-continue\r\n"
                    "Content-Length: 8000000\r\n\r\n",
                    line, key));
    return client.read_reply().status;
  };
  EXPECT_EQ(status_of("POST /v1/chat/completions", "sk-wrong"), 401);
  EXPECT_EQ(status_of("POST /v1/chat/completions", "sk-admin"), 403);
  EXPECT_EQ(status_of("POST /nowhere", "sk-test"), 404);
  EXPECT_EQ(status_of("PUT /v1/chat/completions", "sk-test"), 405);
  EXPECT_EQ(status_of("POST /v1/chat/completions", "sk-test"), 100);
}

TEST_F(GatewayTest, ALedgerThatStoppedTakingMoneyIsNotReadyAndAsksForNoRetry) {
  loading_ = nullptr;
  deployments_ = {};
  deployments_.add(std::make_shared<ScriptedDeployment>());
  open();
  EXPECT_EQ(ask("GET", "/readyz").status, 200);
  ledger_.away_ = true;
  ledger_.healthy_ = false;
  const RawReply ready = ask("GET", "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, HasSubstr(R"("ledger":false)"));
  const RawReply reply = ask("POST", "/v1/chat/completions", "sk-test",
                             R"({"model":"scripted","messages":[{"role":"user","content":"a"}]})");
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.head, HasSubstr("x-should-retry: false"));
  EXPECT_THAT(reply.head, Not(HasSubstr("retry-after")));
}

TEST_F(GatewayTest, ARequestThatTheQueueCanNeverHoldIsNotWorthARetry) {
  open();
  std::string prompts = "\"a\"";
  for (int i = 1; i < 101; ++i) prompts += ",\"a\"";
  const RawReply reply = ask("POST", "/v1/completions", "sk-test",
                             fmt::format(R"({{"model":"scripted","prompt":[{}]}})", prompts));
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.head, HasSubstr("x-should-retry: false"));
  EXPECT_THAT(reply.body, HasSubstr("100"));
}

/// Generates each answer as soon as it is submitted.
class PromptDeployment : public ScriptedDeployment {
 public:
  Result<> submit(engine::Generation generation, engine::EventSink sink) override {
    TRY(ScriptedDeployment::submit(std::move(generation), std::move(sink)));
    while (step(submitted() - 1)) {
    }
    return {};
  }
};

class ChargedFailureTest : public GatewayTest {
 protected:
  void SetUp() override {
    GatewayTest::SetUp();
    deployments_ = {};
    deployments_.add(deployment_);
  }
  RawReply complete(int prompts) {
    std::string list = "\"a\"";
    for (int i = 1; i < prompts; ++i) list += ",\"a\"";
    return ask("POST", "/v1/completions", "sk-test",
               fmt::format(R"({{"model":"scripted","max_tokens":1,"prompt":[{}]}})", list));
  }

  std::shared_ptr<PromptDeployment> deployment_ = std::make_shared<PromptDeployment>();
};

TEST_F(ChargedFailureTest, ARequestRefusedHalfwayIsNotRetriedUnlessItWasFree) {
  open();
  deployment_->refuse_submissions_after_ = 40;
  const RawReply paid = complete(64);
  EXPECT_EQ(paid.status, 503) << paid.body;
  ASSERT_TRUE(ledger_.settled_);
  EXPECT_EQ(ledger_.settled_->output, 40);
  EXPECT_THAT(paid.head, HasSubstr("x-should-retry: false"));
  EXPECT_THAT(paid.head, Not(HasSubstr("retry-after")));

  deployment_->refuse_submissions_after_ = 0;
  const RawReply free = complete(1);
  EXPECT_EQ(free.status, 503);
  EXPECT_THAT(free.head, HasSubstr("x-should-retry: true"));
  EXPECT_THAT(free.head, HasSubstr("retry-after: 1"));
}

TEST_F(ChargedFailureTest, WhatWasNotSettledIsNeitherRetriedNorCountedAsCharged) {
  open();
  ledger_.settles_fail_ = true;
  for (const bool stream : {false, true}) {
    // On one connection: the second request is read when the first has been counted.
    RawClient client(gateway_->port());
    client.send(http_request(
        "POST", "/v1/completions", "sk-test",
        fmt::format(R"({{"model":"scripted","prompt":"a","max_tokens":1,"stream":{}}})", stream)));
    const RawReply reply = client.read_reply();
    if (stream) {
      EXPECT_THAT(reply.body, HasSubstr(R"("code":"unavailable")"));
    } else {
      EXPECT_EQ(reply.status, 503);
      EXPECT_THAT(reply.head, HasSubstr("x-should-retry: false"));
      EXPECT_THAT(reply.head, Not(HasSubstr("retry-after")));
    }
    client.send(http_request("GET", "/metrics", "sk-test"));
    const std::string metrics = client.read_reply().body;
    EXPECT_THAT(metrics, HasSubstr(fmt::format(R"(outcome="completed"}} {})", stream ? 2 : 1)));
    EXPECT_THAT(metrics, HasSubstr(R"(feilun_tokens_total{model="scripted",class="input_fresh"} 0)"));
    EXPECT_THAT(metrics, HasSubstr(R"(feilun_tokens_total{model="scripted",class="output"} 0)"));
  }
}

TEST_F(GatewayTest, DoesNotTellWhichOtherProjectsExist) {
  open();
  EXPECT_EQ(ask("GET", "/feilun/v1/balance?project=proj_1").status, 200);
  EXPECT_EQ(ask("GET", "/feilun/v1/balance?project=default").status, 200);
  const RawReply other = ask("GET", "/feilun/v1/balance?project=other");
  const RawReply nobody = ask("GET", "/feilun/v1/balance?project=nobody");
  EXPECT_EQ(other.status, 403);
  EXPECT_EQ(nobody.status, 403);
  EXPECT_EQ(other.body, nobody.body);
}

/// A real ledger and a real engine on the smallest real weights; ignore_eos makes lengths certain.
class GatewayRoadTest : public ::testing::Test {
 protected:
  static constexpr std::string_view kModel = "tiny";

  void SetUp() override {
    const auto weights = testdata_path("models/tinystories-656K");
    SKIP_WITHOUT(weights);
    spdlog::set_level(spdlog::level::off);
    ledger_ = *ledger::Ledger::open({.directory = directory_.path(), .serving = true});
    set_price();
    auto file = model::open_model(weights);
    ASSERT_TRUE(file) << file.error().message;
    file->chat_template = *model::ChatTemplate::compile(
        "{% for message in messages %}{{ message['content'] }}{% endfor %}", "", "");
    engine::EngineOptions options{.context = 512, .threads = 1};
    options.on_step = [this](const engine::StepTrace&) { std::this_thread::sleep_for(step_pause_.load()); };
    engine_ = *engine::Engine::start(*std::move(file), options);
    auto deployment = std::make_shared<EngineDeployment>(std::string(kModel), WallTime());
    deployment->become_ready(*engine_);
    deployments_.add(deployment);
    gateway_ =
        *Gateway::open({.listen = {.port = 0}, .io_threads = 2, .stop_grace = std::chrono::milliseconds(200)},
                       deployments_, *ledger_);
    gateway_->start();
    key_ = new_tenant("paying", "1.00");
  }
  void TearDown() override {
    if (!gateway_) return;
    gateway_.reset();
    engine_.reset();
    ledger_.reset();
    const auto report = ledger::verify(directory_.path());
    ASSERT_TRUE(report);
    EXPECT_THAT(report->findings(), ::testing::IsEmpty());
    EXPECT_EQ(report->open_holds, 0);
  }

  void set_price() {
    ledger::PriceVersion price{.offering = std::string(kModel), .currency = "CNY"};
    const Money input = Money::pico(300'000);
    const Money output = Money::pico(600'000);
    price.rows = pricing::flat_rows({input, input, input, output, output});
    price.effective_from = SystemClock().wall() - std::chrono::hours(1);
    ASSERT_TRUE(ledger_->set_price(price));
  }
  std::string new_tenant(const std::string& name, std::string_view amount) {
    EXPECT_TRUE(ledger_->create_project(name, "CNY"));
    EXPECT_TRUE(ledger_->credit(name, *Money::parse(amount), "CNY", "test", ""));
    return ledger_->create_key(name, "test", ledger::KeyRole::kProject)->secret;
  }
  /// Waits until nothing of the project is held any more.
  ledger::TokenUsage settled_usage(std::string_view project) {
    while (!ledger_->balance(project)->pending.is_zero()) std::this_thread::yield();
    return ledger_->usage(project)->usage;
  }
  RawReply post(std::string_view path, std::string_view body, std::string_view key) {
    RawClient client(gateway_->port());
    client.send(http_request("POST", path, key, body));
    return client.read_reply();
  }

  const TemporaryDirectory directory_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<engine::Engine> engine_;
  std::atomic<std::chrono::microseconds> step_pause_{std::chrono::microseconds(0)};
  Deployments deployments_;
  std::unique_ptr<Gateway> gateway_;
  std::string key_;
};

std::vector<std::string> events_of(std::string_view body) {
  std::vector<std::string> out;
  for (const auto& event : net::SseParser().feed(body)) out.push_back(event.data);
  return out;
}

/// The value at a JSON pointer, as JSON; empty when there is none.
std::string at(std::string_view text, std::string_view pointer) {
  const auto document = JsonDocument::parse(text);
  simdjson::dom::element value;
  if (!document || document->root().at_pointer(pointer).get(value) != simdjson::SUCCESS) return {};
  return simdjson::minify(value);
}

TEST_F(GatewayRoadTest, AReplyAndAStreamSayTheSameAndAreChargedTheSame) {
  const std::string fields =
      R"("model":"tiny","messages":[{"role":"user","content":"Once upon a time"}],"max_tokens":20,"temperature":0)";
  const RawReply whole = post("/v1/chat/completions", fmt::format("{{{}}}", fields), key_);
  ASSERT_EQ(whole.status, 200) << whole.body;
  EXPECT_EQ(at(whole.body, "/object"), R"("chat.completion")");
  EXPECT_EQ(at(whole.body, "/service_tier"), R"("default")");
  EXPECT_EQ(at(whole.body, "/usage/completion_tokens"), "20");
  EXPECT_EQ(at(whole.body, "/choices/0/finish_reason"), R"("length")");
  const int64_t input = std::stoll(at(whole.body, "/usage/prompt_tokens"));
  const Money cost = Money::pico(300'000) * input + Money::pico(600'000) * 20;
  EXPECT_EQ(at(whole.body, "/feilun/charged"), fmt::format("\"{}\"", cost.to_string()));
  EXPECT_EQ(ledger_->balance("paying")->posted, *Money::parse("1.00") - cost);

  const RawReply stream =
      post("/v1/chat/completions",
           fmt::format(R"({{{},"stream":true,"stream_options":{{"include_usage":true}}}})", fields), key_);
  const auto events = events_of(stream.body);
  ASSERT_GE(events.size(), 4u) << stream.body;
  EXPECT_EQ(at(events[0], "/choices/0/delta/role"), R"("assistant")");
  std::string text;
  for (const std::string& event : events) {
    const auto document = JsonDocument::parse(event);
    std::string_view piece;
    if (document && document->root().at_pointer("/choices/0/delta/content").get(piece) == simdjson::SUCCESS) {
      text += piece;
    }
  }
  const auto document = JsonDocument::parse(whole.body);
  std::string_view expected;
  ASSERT_EQ(document->root().at_pointer("/choices/0/message/content").get(expected), simdjson::SUCCESS);
  EXPECT_EQ(text, expected);
  EXPECT_EQ(events.back(), "[DONE]");
  const std::string& usage = events[events.size() - 2];
  EXPECT_EQ(at(usage, "/choices"), "[]");
  EXPECT_EQ(at(usage, "/usage"), at(whole.body, "/usage"));
  EXPECT_EQ(at(events[events.size() - 3], "/choices/0/finish_reason"), R"("length")");
  EXPECT_EQ(ledger_->balance("paying")->posted, *Money::parse("1.00") - cost - cost);
}

TEST_F(GatewayRoadTest, ChoicesAndPromptBatchesBillEachPromptOnce) {
  const RawReply one =
      post("/v1/completions", R"({"model":"tiny","prompt":"Lily","max_tokens":5,"ignore_eos":true})", key_);
  ASSERT_EQ(one.status, 200) << one.body;
  const int64_t prompt = std::stoll(at(one.body, "/usage/prompt_tokens"));
  const RawReply many = post(
      "/v1/completions",
      R"({"model":"tiny","prompt":["Lily","Lily"],"n":3,"max_tokens":5,"ignore_eos":true,"logprobs":1,"temperature":1})",
      key_);
  ASSERT_EQ(many.status, 200) << many.body;
  EXPECT_EQ(at(many.body, "/choices/5/index"), "5");
  EXPECT_EQ(at(many.body, "/choices/6/index"), "");
  EXPECT_EQ(std::stoll(at(many.body, "/usage/prompt_tokens")), 2 * prompt);
  EXPECT_EQ(at(many.body, "/usage/completion_tokens"), "30");
  EXPECT_NE(at(many.body, "/choices/0/logprobs/tokens/4"), "");
}

TEST_F(GatewayRoadTest, EqualPromptsOfOneRequestAreSampledApart) {
  const std::string fields = R"("model":"tiny","max_tokens":30,"ignore_eos":true,"temperature":2,"n":2)";
  const auto texts = [&](std::string_view prompt, std::string_view more) {
    const RawReply reply =
        post("/v1/completions", fmt::format(R"({{{},"prompt":{}{}}})", fields, prompt, more), key_);
    std::vector<std::string> out;
    for (int i = 0; !at(reply.body, fmt::format("/choices/{}/text", i)).empty(); ++i) {
      out.push_back(at(reply.body, fmt::format("/choices/{}/text", i)));
    }
    return out;
  };
  for (const char* more : {"", R"(,"seed":7)"}) {
    auto found = texts(R"(["Lily","Lily","Lily"])", more);
    ASSERT_EQ(found.size(), 6u);
    std::ranges::sort(found);
    EXPECT_TRUE(std::ranges::adjacent_find(found) == found.end()) << more;
  }
  const auto seeded = texts(R"(["Lily","Lily"])", R"(,"seed":7)");
  EXPECT_EQ(seeded, texts(R"(["Lily","Lily"])", R"(,"seed":7)"));
  const auto alone = texts(R"("Lily")", R"(,"seed":7)");
  EXPECT_EQ(alone, std::vector(seeded.begin(), seeded.begin() + 2));
}

TEST_F(GatewayRoadTest, LogprobsEndWhereTheTextDoes) {
  const auto ask_with = [&](std::string_view more) {
    return post("/v1/completions",
                fmt::format(
                    R"({{"model":"tiny","prompt":"Lily","max_tokens":40,"temperature":0,"logprobs":0{}}})",
                    more),
                key_)
        .body;
  };
  const auto text_of = [](const std::string& body) {
    const std::string quoted = at(body, "/choices/0/text");
    return quoted.size() < 2 ? quoted : quoted.substr(1, quoted.size() - 2);
  };
  const std::string whole = text_of(ask_with(""));
  ASSERT_GT(whole.size(), 40u);
  const std::string cut = ask_with(fmt::format(R"(,"stop":"{}")", whole.substr(15, 20)));
  const std::string text = text_of(cut);
  EXPECT_EQ(text, whole.substr(0, text.size()));
  ASSERT_EQ(text.size(), 15u) << cut;
  for (int i = 0; !at(cut, fmt::format("/choices/0/logprobs/text_offset/{}", i)).empty(); ++i) {
    EXPECT_LT(std::stoi(at(cut, fmt::format("/choices/0/logprobs/text_offset/{}", i))), 15);
  }
}

TEST_F(GatewayRoadTest, AHalfClosedStreamEndsWithAnErrorAndDone) {
  step_pause_ = std::chrono::microseconds(500);
  RawClient client(gateway_->port());
  client.send(
      http_request("POST", "/v1/completions", key_,
                   R"({"model":"tiny","prompt":"Lily","max_tokens":400,"ignore_eos":true,"stream":true})"));
  client.read_until("\n\n");
  client.finish_sending();
  const std::string rest = client.read_to_end();
  EXPECT_THAT(rest, HasSubstr(R"("code":"cancelled")"));
  EXPECT_THAT(rest, HasSubstr("data: [DONE]"));
}

/// Counts the tokens of one streamed completion chunk by its logprobs.
int64_t tokens_in(const std::string& event) {
  const auto document = JsonDocument::parse(event);
  simdjson::dom::array tokens;
  if (!document || document->root().at_pointer("/choices/0/logprobs/tokens").get(tokens) != simdjson::SUCCESS)
    return 0;
  return static_cast<int64_t>(tokens.size());
}

constexpr std::string_view kLongStream =
    R"({"model":"tiny","prompt":"Lily","max_tokens":400,"ignore_eos":true,"logprobs":0,"stream":true})";

/// The client closes its sending side after k tokens and reads on, so that "read" is everything that was
/// ever sent to it: the bound then holds whatever the scheduling.
TEST_F(GatewayRoadTest, AClientThatLeavesAfterAnyTokenPaysForWhatItReadPlusAtMostTwoSteps) {
  TokenCount charged_before = 0;
  for (int64_t k = 0; k <= 64; ++k) {
    RawClient client(gateway_->port());
    client.send(http_request("POST", "/v1/completions", key_, kLongStream));
    if (k == 0) client.finish_sending();
    net::SseParser parser;
    int64_t read = 0;
    bool left = k == 0;
    for (std::string line = client.read_until("\n\n"); !line.empty(); line = client.read_until("\n\n")) {
      const size_t data = line.find("data: ");
      if (data != std::string::npos) read += tokens_in(line.substr(data + 6, line.size() - data - 8));
      if (read >= k && !left) {
        client.finish_sending();
        left = true;
      }
    }
    const TokenCount total = settled_usage("paying").output;
    const TokenCount charged = total - charged_before;
    charged_before = total;
    ASSERT_LT(read, 400) << "the client left after " << k << ", and the stream went on to its end";
    ASSERT_LE(read, charged) << k;
    ASSERT_LE(charged, read + 2) << k;
  }
  EXPECT_EQ(engine_->stats().sampled_tokens, charged_before) << "the sampler's own count";
  EXPECT_EQ(engine_->stats().output_tokens, charged_before);
}

/// A client that vanishes is noticed while the server waits for tokens: with slow steps, within two of them.
TEST_F(GatewayRoadTest, AVanishedClientStopsASlowGenerationWithinTwoSteps) {
  step_pause_ = std::chrono::milliseconds(40);
  for (const int64_t k : {1, 3, 9}) {
    const TokenCount before = settled_usage("paying").output;
    int64_t read = 0;
    {
      RawClient client(gateway_->port());
      client.send(http_request("POST", "/v1/completions", key_, kLongStream));
      while (read < k) {
        const std::string line = client.read_until("\n\n");
        const size_t data = line.find("data: ");
        ASSERT_NE(data, std::string::npos);
        read += tokens_in(line.substr(data + 6, line.size() - data - 8));
      }
    }
    const TokenCount charged = settled_usage("paying").output - before;
    EXPECT_LE(read, charged);
    EXPECT_LE(charged, read + 2);
  }
}

TEST_F(GatewayRoadTest, AClientThatLeavesAReplyBehindIsChargedForWhatWasMade) {
  step_pause_ = std::chrono::milliseconds(5);
  {
    RawClient client(gateway_->port());
    client.send(http_request("POST", "/v1/completions", key_,
                             R"({"model":"tiny","prompt":"Lily","max_tokens":400,"ignore_eos":true})"));
    while (engine_->stats().output_tokens < 5) std::this_thread::yield();
  }
  const TokenCount charged = settled_usage("paying").output;
  EXPECT_GE(charged, 5);
  EXPECT_LT(charged, 400);
  EXPECT_EQ(charged, engine_->stats().sampled_tokens);
}

/// A reply that was cut because its client half-closed says so instead of looking whole.
TEST_F(GatewayRoadTest, AHalfClosedClientIsNotGivenAPartAsTheWhole) {
  step_pause_ = std::chrono::milliseconds(5);
  RawClient client(gateway_->port());
  client.send(http_request("POST", "/v1/completions", key_,
                           R"({"model":"tiny","prompt":"Lily","max_tokens":400,"ignore_eos":true})"));
  while (engine_->stats().output_tokens < 5) std::this_thread::yield();
  client.finish_sending();
  const RawReply reply = client.read_reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.body, HasSubstr(R"("code":"cancelled")"));
}

TEST_F(GatewayRoadTest, AWalletFor37AndAHalfTokensGets37) {
  const RawReply probe = post("/v1/completions", R"({"model":"tiny","prompt":"Lily","max_tokens":1})", key_);
  const Money input = Money::pico(300'000) * std::stoll(at(probe.body, "/usage/prompt_tokens"));
  const Money amount = input + Money::pico(600'000) * 37 + Money::pico(300'000);
  for (const bool stream : {false, true}) {
    const std::string name = stream ? "poor-stream" : "poor";
    const std::string key = new_tenant(name, amount.to_string());
    const std::string body = fmt::format(
        R"({{"model":"tiny","prompt":"Lily","max_tokens":200,"ignore_eos":true,"stream":{}}})", stream);
    const RawReply reply = post("/v1/completions", body, key);
    ASSERT_EQ(reply.status, 200) << reply.body;
    EXPECT_THAT(reply.body, HasSubstr(R"("finish_reason":"length")"));
    EXPECT_THAT(reply.body, HasSubstr(R"("stop_cause":"balance")"));
    EXPECT_EQ(settled_usage(name).output, 37);
    EXPECT_EQ(ledger_->balance(name)->available(), Money::pico(300'000));
    EXPECT_EQ(post("/v1/completions", body, key).status, 429);
  }
}

TEST_F(GatewayRoadTest, SixtyFourStreamsAtOnceAllEndAndAddUp) {
  std::vector<std::thread> clients;
  std::atomic<int> done{0};
  for (int i = 0; i < 64; ++i) {
    clients.emplace_back([&, i] {
      const std::string body = fmt::format(
          R"({{"model":"tiny","prompt":"Lily","max_tokens":{},"ignore_eos":true,"stream":true}})", 10 + i);
      const RawReply reply = post("/v1/completions", body, key_);
      if (events_of(reply.body).back() == "[DONE]") ++done;
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(done, 64);
  EXPECT_EQ(settled_usage("paying").output, 64 * 10 + 64 * 63 / 2);
  EXPECT_EQ(engine_->stats().sampled_tokens, 64 * 10 + 64 * 63 / 2);
}

TEST_F(GatewayRoadTest, AStopSettlesRunningStreamsAndTellsTheirClients) {
  step_pause_ = std::chrono::milliseconds(20);
  RawClient client(gateway_->port());
  client.send(http_request("POST", "/v1/completions", key_, kLongStream));
  client.read_until("\n\n");
  for (int i = 0; i < 3; ++i) gateway_->stop();
  const std::string rest = client.read_to_end();
  EXPECT_THAT(rest, HasSubstr(R"("code":"cancelled")"));
  EXPECT_THAT(rest, HasSubstr("data: [DONE]"));
  gateway_->wait();
  gateway_->wait();
  EXPECT_TRUE(ledger_->balance("paying")->pending.is_zero());
  EXPECT_EQ(ledger_->usage("paying")->usage.output, engine_->stats().sampled_tokens);
}

}  // namespace
}  // namespace feilun::gateway
