#include <gtest/gtest.h>

#include "base/temporary_directory.h"
#include "engine/decoder_golden.h"
#include "model/convert.h"

/// Each family against transformers, read from what transformers writes and from a GGUF of the same weights.

namespace feilun::engine {
namespace {

struct Case {
  const char* model;
  const char* form;  ///< what follows the name: a directory, or ".gguf"
};

class FamilyGolden : public testing::TestWithParam<Case> {};

TEST_P(FamilyGolden, LogitsEqualTransformers) {
  const std::string name = GetParam().model;
  auto file = model::open_model(golden_model(name + GetParam().form));
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const std::vector<GoldenPrompt> prompts = golden_prompts(name);
  ASSERT_EQ(prompts.size(), 3u);
  EXPECT_LT(GoldenSubject(std::move(*file)).divergence(prompts), 1e-5);
}

TEST(FamilyConversion, KeepsTheLogits) {
  const TemporaryDirectory folder;
  const auto gguf = folder / "first.gguf";
  const auto gguf_again = folder / "second.gguf";
  for (const char* name :
       {"llama", "llama_biased", "mistral", "qwen3", "qwen3moe", "glm4", "gemma2", "phi3"}) {
    const auto converted = model::convert_model(golden_model(name), {}, gguf);
    ASSERT_TRUE(converted.has_value()) << name << ": " << converted.error().message;
    auto file = model::open_model(gguf);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_LT(GoldenSubject(std::move(*file)).divergence(golden_prompts(name)), 1e-5) << name;
    // Once more, from the file that was just written.
    const auto again = model::convert_model(gguf, compute::DType::kF32, gguf_again);
    ASSERT_TRUE(again.has_value()) << name << ": " << again.error().message;
    file = model::open_model(gguf_again);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_LT(GoldenSubject(std::move(*file)).divergence(golden_prompts(name)), 1e-5) << name;
  }
}

TEST(FamilyConversion, RefusesWindowsThatGgufCannotTell) {
  const TemporaryDirectory folder;
  const auto gguf = folder / "qwen2.gguf";
  const auto converted = model::convert_model(golden_model("qwen2"), {}, gguf);
  ASSERT_FALSE(converted.has_value());
  EXPECT_EQ(converted.error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(std::filesystem::exists(gguf));
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* model :
       {"llama", "llama_biased", "mistral", "qwen2", "qwen3", "qwen3moe", "glm4", "gemma2", "phi3"}) {
    all.push_back({model, ""});
    all.push_back({model, ".gguf"});
  }
  // GGUF files of Qwen do not say which layers have a window: this one's does not have its windows.
  std::erase_if(all, [](const Case& c) { return std::string(c.model) == "qwen2" && *c.form != '\0'; });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Families, FamilyGolden, testing::ValuesIn(cases()), [](const auto& info) {
  return std::string(info.param.model) + (*info.param.form == '\0' ? "_directory" : "_gguf");
});

}  // namespace
}  // namespace feilun::engine
