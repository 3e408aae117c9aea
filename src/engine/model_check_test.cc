#include "engine/model_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "engine/decoder_golden.h"

namespace feilun::engine {
namespace {

constexpr double kWrong = 0.01;

/// The goldens of a tiny model as check_model takes them: all logits are known.
std::vector<GoldenText> goldens_of(const std::string& name) {
  std::vector<GoldenText> texts;
  for (const GoldenPrompt& prompt : golden_prompts(name)) {
    GoldenText& text = texts.emplace_back();
    text.tokens = prompt.tokens;
    text.prompt = prompt.prompt;
    for (size_t i = 0; i < prompt.logits.size(); ++i) {
      GoldenAnswer& answer = text.answers.emplace_back();
      answer.position = prompt.prompt - 1 + static_cast<int64_t>(i);
      answer.logits = prompt.logits[i];
      double sum = 0;
      for (size_t id = 0; id < answer.logits.size(); ++id) {
        answer.ids.push_back(static_cast<model::TokenId>(id));
        answer.largest = std::max(answer.largest, std::abs(answer.logits[id]));
        sum += std::exp(answer.logits[id]);
      }
      answer.log_sum = std::log(sum);
    }
  }
  return texts;
}

TEST(ModelCheck, PassesAModelThatAgrees) {
  for (const char* name : {"qwen3moe", "gemma2"}) {
    const auto file = model::open_model(golden_model(name)).value();
    const auto report = check_model(file, {.goldens = goldens_of(name), .threads = 2});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->passed()) << describe_check(*report);
    ASSERT_EQ(report->texts.size(), 3u);
    EXPECT_LT(report->texts[2].divergence, 1e-5);
    EXPECT_LT(report->texts[2].f32_kl, 1e-9);
    EXPECT_THAT(describe_check(*report), testing::HasSubstr("70 + 4 tokens"));
  }
}

TEST(ModelCheck, FailsAModelThatDiffers) {
  const auto file = model::open_model(golden_model("llama")).value();
  auto goldens = goldens_of("llama");
  goldens[1].answers[2].logits[40] += kWrong * goldens[1].answers[2].largest;
  const auto report = check_model(file, {.goldens = goldens});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->passed());
  EXPECT_NEAR(report->texts[1].divergence, kWrong, 1e-4);
  EXPECT_GT(report->texts[1].f32_kl, 0);
  EXPECT_LT(report->texts[0].divergence, 1e-5);
}

TEST(ModelCheck, TestsAModelWithoutGoldens) {
  const auto report = check_model(model::open_model(golden_model("glm4")).value(), {});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->passed());
  EXPECT_TRUE(report->texts.empty());
}

TEST(Goldens, AreRead) {
  const auto texts =
      parse_goldens(R"({"sampled_ids": [5, 9], "prompts": [{"tokens": [1, 2, 3], "prompt": 2, "answers": [)"
                    R"({"position": 1, "largest": 4, "log_sum": 5.5, "top_ids": [7], "top_logits": [4.0],)"
                    R"( "sampled_logits": [-1, 0.5]}]}]})",
                    10);
  ASSERT_TRUE(texts) << texts.error().message;
  const GoldenAnswer& answer = texts->at(0).answers.at(0);
  EXPECT_EQ(answer.ids, (std::vector<model::TokenId>{7, 5, 9}));
  EXPECT_EQ(answer.logits, (std::vector<double>{4, -1, 0.5}));
}

TEST(Goldens, ThatAreDamagedGetASentence) {
  const auto refused = [](std::string_view answers, std::string_view tokens = "[1,2]") {
    const auto texts = parse_goldens(
        fmt::format(R"({{"sampled_ids":[],"prompts":[{{"tokens":{},"prompt":2,"answers":[{}]}}]}})", tokens,
                    answers),
        10);
    return texts ? std::string() : texts.error().message;
  };
  EXPECT_EQ(refused(""), "");
  EXPECT_THAT(refused("", "[1]"), testing::HasSubstr("a prompt of 2"));
  EXPECT_THAT(refused("", "[1,10]"), testing::HasSubstr("vocabulary of 10"));
  EXPECT_THAT(refused("7"), testing::HasSubstr("position"));
  const std::string rest = R"(,"largest":1,"log_sum":1,"sampled_logits":[],"top_ids":[3],"top_logits":)";
  EXPECT_EQ(refused(R"({"position":1)" + rest + "[1]}"), "");
  EXPECT_THAT(refused(R"({"position":1)" + rest + "[1,2]}"), testing::HasSubstr("2 numbers for 1 tokens"));
  EXPECT_THAT(refused(R"({"position":2)" + rest + "[1]}"), testing::HasSubstr("out of place"));
  EXPECT_FALSE(parse_goldens("[]", 10));
  EXPECT_FALSE(parse_goldens("{", 10));
}

}  // namespace
}  // namespace feilun::engine
