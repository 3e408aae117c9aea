#include "gateway/chat_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "base/testdata.h"
#include "gateway/completion_request.h"
#include "gateway/error_reply.h"
#include "gateway/json_text.h"
#include "gateway/service_tier.h"

namespace feilun::gateway {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kMessages = R"("messages":[{"role":"user","content":"hi"}])";

Result<ChatRequest> parse_with(std::string_view fields) {
  return parse_chat_request(fmt::format(R"({{"model":"m",{},{}}})", kMessages, fields));
}

TEST(ChatRequest, ReadsEverythingItKnows) {
  const auto request = parse_chat_request(R"({
    "model":"m","messages":[{"role":"developer","content":"be brief"},
      {"role":"user","name":"ann","content":[{"type":"text","text":"a\""},{"type":"text","text":"b"}]}],
    "max_tokens":5,"max_completion_tokens":7,"temperature":0.5,"top_p":0.25,"top_k":3,"min_p":0.125,"n":2,
    "stop":["x","y"],"stream":true,"stream_options":{"include_usage":true},"seed":-1,"logprobs":true,
    "top_logprobs":3,"logit_bias":{"5":-100,"6":1.5},"presence_penalty":1,"frequency_penalty":-1,
    "repetition_penalty":1.5,"ignore_eos":true,"user":"u","metadata":{"a":"b"},"store":false,
    "service_tier":"auto","prompt_cache_key":"k","chat_template_kwargs":{"enable_thinking":false},
    "parallel_tool_calls":true,"tools":[],"tool_choice":"none","response_format":{"type":"text"},
    "something_new":{"deep":[1]}})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->max_tokens, 7);
  EXPECT_EQ(request->top_logprobs, 3);
  EXPECT_EQ(request->messages_json,
            R"([{"role":"system","content":"be brief"},{"role":"user","content":"a\"b","name":"ann"}])");
  EXPECT_EQ(request->template_variables_json, R"({"enable_thinking":false})");
  const GenerationParameters& p = request->parameters;
  EXPECT_EQ(p.n, 2);
  EXPECT_EQ(p.stop, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(p.stream && p.include_usage && p.ignore_eos);
  EXPECT_EQ(p.seed, UINT64_MAX);
  EXPECT_EQ(p.logit_bias.size(), 2u);
}

TEST(ChatRequest, AsksForATierAndGetsTheOneThatIsServed) {
  using pricing::ServiceTier;
  const std::pair<const char*, ServiceTier> kCases[] = {{"auto", ServiceTier::kDefault},
                                                        {"default", ServiceTier::kDefault},
                                                        {"flex", ServiceTier::kFlex},
                                                        {"priority", ServiceTier::kPriority}};
  for (const auto& [text, tier] : kCases) {
    const auto request = parse_with(fmt::format(R"("service_tier":"{}")", text));
    ASSERT_TRUE(request) << text;
    EXPECT_EQ(request->parameters.tier, tier) << text;
  }
  EXPECT_FALSE(parse_with(R"("service_tier":"batch")"));
  EXPECT_EQ(tier_name(served_tier(ServiceTier::kPriority, true)), "priority");
  EXPECT_EQ(tier_name(served_tier(ServiceTier::kPriority, false)), "default");
  EXPECT_EQ(tier_name(served_tier(ServiceTier::kFlex, false)), "flex");
}

TEST(ChatRequest, NullMeansAbsent) {
  EXPECT_TRUE(
      parse_with(R"("temperature":null,"n":null,"stop":null,"stream":null,"tools":null,"logit_bias":null)"));
}

TEST(ChatRequest, AWrongTypeOrRangeNamesFieldAndPath) {
  const std::pair<const char*, const char*> kCases[] = {
      {R"("temperature":"hot")", "temperature"},
      {R"("temperature":2.1)", "temperature"},
      {R"("temperature":-0.1)", "temperature"},
      {R"("top_p":1.5)", "top_p"},
      {R"("n":0)", "n"},
      {R"("n":17)", "n"},
      {R"("n":1.5)", "n"},
      {R"("n":18446744073709551615)", "n"},
      {R"("max_tokens":"many")", "max_tokens"},
      {R"("max_tokens":0)", "max_tokens"},
      {R"("stream":1)", "stream"},
      {R"("stream_options":{})", "stream_options"},
      {R"("stream":true,"stream_options":{"include_usage":1})", "stream_options.include_usage"},
      {R"("stop":[1])", "stop[0]"},
      {R"("stop":["a","b","c","d","e"])", "stop"},
      {R"("stop":"")", "stop"},
      {R"("logit_bias":{"x":1})", "logit_bias"},
      {R"("logit_bias":{"1":101})", "logit_bias.1"},
      {R"("top_logprobs":2)", "top_logprobs"},
      {R"("logprobs":true,"top_logprobs":21)", "top_logprobs"},
      {R"("service_tier":"gold")", "service_tier"},
      {R"("user":5)", "user"},
      {R"("metadata":[])", "metadata"},
      {R"("chat_template_kwargs":"x")", "chat_template_kwargs"},
  };
  for (const auto& [fields, param] : kCases) {
    const auto request = parse_with(fields);
    ASSERT_FALSE(request) << fields;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument) << fields;
    EXPECT_EQ(request.error().param, param) << request.error().message;
  }
}

TEST(ChatRequest, AWrongMessageNamesItsPath) {
  const std::tuple<const char*, const char*, ErrorCode> kCases[] = {
      {R"("hi")", "messages", ErrorCode::kInvalidArgument},
      {R"([])", "messages", ErrorCode::kInvalidArgument},
      {R"([1])", "messages[0]", ErrorCode::kInvalidArgument},
      {R"([{"role":"user","content":"a"},{"role":"user"}])", "messages[1].content",
       ErrorCode::kInvalidArgument},
      {R"([{"role":"user","content":5}])", "messages[0].content", ErrorCode::kInvalidArgument},
      {R"([{"role":"user","content":[]}])", "messages[0].content", ErrorCode::kInvalidArgument},
      {R"([{"role":"user","content":["a"]}])", "messages[0].content[0]", ErrorCode::kInvalidArgument},
      {R"([{"role":"user","content":[{"type":"text"}]}])", "messages[0].content[0].text",
       ErrorCode::kInvalidArgument},
      {R"([{"role":"user","content":[{"type":"image_url","image_url":{}}]}])", "messages[0].content[0].type",
       ErrorCode::kUnsupported},
      {R"([{"role":"robot","content":"a"}])", "messages[0].role", ErrorCode::kInvalidArgument},
      {R"([{"role":"tool","content":"a"}])", "messages[0].role", ErrorCode::kUnsupported},
      {R"([{"role":"assistant","content":"a","tool_calls":[{}]}])", "messages[0].tool_calls",
       ErrorCode::kUnsupported},
  };
  for (const auto& [messages, param, code] : kCases) {
    const auto request = parse_chat_request(fmt::format(R"({{"model":"m","messages":{}}})", messages));
    ASSERT_FALSE(request) << messages;
    EXPECT_EQ(request.error().code, code) << messages;
    EXPECT_EQ(request.error().param, param) << messages;
  }
}

TEST(ChatRequest, WhatIsKnownButNotServedIsRefusedByName) {
  for (const auto& [fields, param] : {std::pair{R"("tools":[{}])", "tools"},
                                      {R"("functions":[{}])", "functions"},
                                      {R"("tool_choice":"required")", "tool_choice"},
                                      {R"("tool_choice":{"type":"function"})", "tool_choice"},
                                      {R"("response_format":{"type":"json_object"})", "response_format"},
                                      {R"("modalities":["text","audio"])", "modalities"},
                                      {R"("audio":{})", "audio"},
                                      {R"("prediction":{})", "prediction"},
                                      {R"("web_search_options":{})", "web_search_options"}}) {
    const auto request = parse_with(fields);
    ASSERT_FALSE(request) << fields;
    EXPECT_EQ(request.error().code, ErrorCode::kUnsupported);
    EXPECT_EQ(request.error().param, param);
    EXPECT_THAT(request.error().message, HasSubstr(param));
  }
}

/// Each case of the suite as the whole body, as a field nobody knows, and as a field that is read.
TEST(ChatRequest, HoldsToTheJsonTestSuite) {
  const auto directory = testdata_path("json/JSONTestSuite");
  SKIP_WITHOUT(directory);
  int accepted = 0;
  int rejected = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(".json") || name[1] != '_') continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    const auto whole = parse_chat_request(text);
    EXPECT_FALSE(whole) << name << ": none of the cases is a chat request";
    EXPECT_EQ(error_look(whole.error()).status, 400) << name;
    const bool is_json =
        !whole.error().message.contains("valid JSON") && !whole.error().message.contains("as JSON");
    const auto inside = parse_with(R"("unknown":)" + text);
    (void)parse_with(R"("stop":)" + text);
    if (name[0] == 'y') {
      EXPECT_TRUE(is_json) << name << ": " << whole.error().message;
      EXPECT_TRUE(inside) << name << ": " << (inside ? "" : inside.error().message);
      ++accepted;
    } else if (name[0] == 'n') {
      EXPECT_FALSE(is_json) << name;
      ++rejected;
    }
  }
  EXPECT_GT(accepted, 90);
  EXPECT_GT(rejected, 180);
}

TEST(CompletionRequest, ReadsEachShapeOfPrompt) {
  const auto prompts = [](std::string_view prompt) {
    return parse_completion_request(fmt::format(R"({{"model":"m","prompt":{}}})", prompt));
  };
  EXPECT_EQ(prompts(R"("")")->prompts.size(), 1u);
  EXPECT_EQ(prompts(R"(["a","b"])")->prompts.size(), 2u);
  EXPECT_EQ(prompts("[1,2,3]")->prompts.size(), 1u);
  EXPECT_EQ(prompts("[[1,2],[3]]")->prompts.size(), 2u);
  for (const char* wrong :
       {"[]", "[[]]", "5", "{}", "[1,\"a\"]", "[-1]", "[99999999999]", "[1.5]", "[null]"}) {
    const auto request = prompts(wrong);
    ASSERT_FALSE(request) << wrong;
    EXPECT_THAT(request.error().param, HasSubstr("prompt")) << wrong;
  }
}

TEST(CompletionRequest, RefusesEchoSuffixAndBestOf) {
  for (const char* field : {R"("echo":true)", R"("suffix":"x")", R"("best_of":2)"}) {
    const auto request = parse_completion_request(fmt::format(R"({{"model":"m","prompt":"a",{}}})", field));
    ASSERT_FALSE(request) << field;
    EXPECT_EQ(request.error().code, ErrorCode::kUnsupported);
  }
  EXPECT_TRUE(
      parse_completion_request(R"({"model":"m","prompt":"a","echo":false,"best_of":1,"suffix":null})"));
  EXPECT_EQ(parse_completion_request(R"({"model":"m","prompt":"a"})")->max_tokens, 16);
}

TEST(CompletionRequest, BoundsTheBatch) {
  std::string many = R"("a")";
  for (size_t i = 0; i < kPromptsMax; ++i) many += R"(,"a")";
  const auto request = parse_completion_request(fmt::format(R"({{"model":"m","prompt":[{}]}})", many));
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().param, "prompt");
}

TEST(GenerationParameters, FillsFromTheRequestThenTheModelThenOpenAi) {
  GenerationParameters asked;
  asked.top_p = 0.5f;
  const model::SamplingDefaults makers{.temperature = 0.6f, .top_p = 0.9f, .top_k = 20};
  const auto sampling = sampling_for(asked, makers, 100, -1);
  EXPECT_EQ(sampling->temperature, 0.6f);
  EXPECT_EQ(sampling->top_p, 0.5f);
  EXPECT_EQ(sampling->top_k, 20);
  EXPECT_EQ(sampling_for({}, {}, 100, -1)->temperature, 1.0f);
  asked.logit_bias = {{100, 1.0f}};
  EXPECT_FALSE(sampling_for(asked, makers, 100, -1));
}

TEST(ErrorReply, EveryKindHasAStatusAndAShape) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    const auto reply = error_reply({static_cast<ErrorCode>(code), "what \"happened\"\xff", "field"});
    EXPECT_GE(reply.status, 400);
    const auto document = JsonDocument::parse(reply.body);
    ASSERT_TRUE(document) << reply.body;
    for (const char* key : {"message", "type", "param", "code"}) {
      simdjson::dom::element value;
      EXPECT_EQ(document->root()["error"][key].get(value), simdjson::SUCCESS) << key;
    }
  }
  EXPECT_EQ(error_reply({ErrorCode::kInsufficientQuota, ""}).status, 429);
  EXPECT_EQ(error_reply({ErrorCode::kInsufficientQuota, ""}).headers.find("x-should-retry"), "false");
  EXPECT_EQ(error_reply({ErrorCode::kUnavailable, ""}).headers.find("retry-after"), "5");
  EXPECT_EQ(error_reply({ErrorCode::kOverloaded, ""}).headers.find("retry-after"), "1");
  EXPECT_EQ(error_reply({.code = ErrorCode::kOverloaded, .message = "", .retry_after_s = 17})
                .headers.find("retry-after"),
            "17");
}

TEST(JsonText, IsAlwaysValidJson) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  all += "\xE4\xB8\xAD\xF0\x9F\x98\x80\xED\xA0\x80\xC0\x80\xF5\x80\x80\x80\xE4\xB8";
  std::string json = "[";
  append_json_string(json, all);
  ASSERT_TRUE(JsonDocument::parse(json + "]"));
  EXPECT_EQ(valid_utf8("中\xE4\xB8"), "中\uFFFD\uFFFD");
  EXPECT_EQ(valid_utf8("日本😀"), "日本😀");
}

TEST(ChatRequest, BothEndpointsRefuseWhatIsKnownButNotServed) {
  for (const char* field :
       {R"("tools":[{}])", R"("tool_choice":"required")", R"("functions":[{}])", R"("guided_json":{})",
        R"("guided_regex":"a")", R"("guided_choice":["a"])", R"("guided_grammar":"a")", R"("audio":{})",
        R"("reasoning_effort":"low")", R"("prediction":{})", R"("verbosity":"low")", R"("min_tokens":3)",
        R"("stop_token_ids":[5])", R"("use_beam_search":true)", R"("web_search_options":{})",
        R"("response_format":{"type":"json_object"})"}) {
    const std::string name(field + 1, std::strchr(field + 1, '"'));
    const auto chat = parse_with(field);
    ASSERT_FALSE(chat) << field;
    EXPECT_EQ(chat.error().code, ErrorCode::kUnsupported) << field;
    EXPECT_EQ(chat.error().param, name);
    const auto completion =
        parse_completion_request(fmt::format(R"({{"model":"m","prompt":"a",{}}})", field));
    ASSERT_FALSE(completion) << field;
    EXPECT_EQ(completion.error().code, ErrorCode::kUnsupported) << field;
    EXPECT_EQ(completion.error().param, name);
  }
  EXPECT_TRUE(parse_with(R"("min_tokens":0,"stop_token_ids":[],"use_beam_search":false)"));
}

TEST(ChatRequest, TemplateVariablesMustNotReplaceTheServersOwn) {
  for (const char* name : {"messages", "add_generation_prompt", "tools", "bos_token", "eos_token"}) {
    const auto request = parse_with(fmt::format(R"("chat_template_kwargs":{{"a":1,"{}":null}})", name));
    ASSERT_FALSE(request) << name;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(request.error().param, fmt::format("chat_template_kwargs.{}", name));
  }
}

TEST(ChatRequest, AnIntegralNumberIsAnInteger) {
  const auto request = parse_with(R"("seed":1.0,"n":2.0)");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->parameters.seed, 1u);
  EXPECT_EQ(request->parameters.n, 2);
  EXPECT_FALSE(parse_with(R"("seed":1.5)"));
  EXPECT_FALSE(parse_with(R"("seed":1e300)"));
}

TEST(ChatRequest, SaysThatANumberIsOutOfRange) {
  for (const char* number : {"123456789012345678901234567890", "1e999", "-1e400"}) {
    const auto request = parse_with(fmt::format(R"("x":{})", number));
    ASSERT_FALSE(request) << number;
    EXPECT_THAT(request.error().message, HasSubstr("a number is out of the range")) << number;
  }
}

}  // namespace
}  // namespace feilun::gateway
