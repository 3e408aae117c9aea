#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/testdata.h"
#include "engine/backend.h"
#include "engine/engine.h"
#include "engine/generation_log.h"

/// What rounding its weights costs a trained model: how well it foretells a text, as F32 and as 8 bits.
namespace feilun::engine {
namespace {

using Text = std::vector<TokenId>;

constexpr int kWindow = 512;

model::ModelFile open_tiny_stories() {
  auto file = model::open_model(testdata_path("models/tinystories-656K"));
  EXPECT_TRUE(file) << file.error().message;
  return std::move(file).value();
}

/// Drawn from the model in F32, from its whole distribution: each token is as likely in the text as the model
/// says, so what another model says less well shows.
std::vector<Text> texts_of_its_own() {
  auto engine =
      Engine::start(open_tiny_stories(), {.kv_bf16 = false, .threads = 1, .quantise = Quantise::kF32});
  EXPECT_TRUE(engine) << engine.error().message;
  GenerationLogs logs;
  std::map<std::string, Text> texts;
  for (int seed = 1; seed <= 32; ++seed) {
    Generation story{.id = std::to_string(seed),
                     .prompt = (*engine)->encode_text("Once upon a time"),
                     .max_tokens = 240,
                     .allowed_tokens = 240};
    story.sampling.seed = static_cast<uint64_t>(seed);
    texts[story.id] = story.prompt;
    EXPECT_TRUE((*engine)->submit(story, logs.sink(story.id)));
  }
  logs.wait_for_all();
  std::vector<Text> whole;
  for (auto& [id, text] : texts) {
    for (const TokenId token : ids_of(logs.of(id))) text.push_back(token);
    whole.push_back(std::move(text));
  }
  return whole;
}

/// −log of what the softmax of `logits` gives to `token`.
double surprise(std::span<const float> logits, TokenId token) {
  const float most = std::ranges::max(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - most));
  return std::log(sum) + most - logits[static_cast<size_t>(token)];
}

double perplexity(const model::ModelFile& file, Quantise quantise, bool kv_bf16,
                  const std::vector<Text>& texts) {
  const auto backend = make_cpu_backend(
      file, {.quantise = quantise, .kv_bf16 = kv_bf16, .kv_blocks = kWindow / Backend::kBlockTokens});
  EXPECT_TRUE(backend) << backend.error().message;
  std::vector<int32_t> blocks(kWindow / Backend::kBlockTokens);
  std::iota(blocks.begin(), blocks.end(), 0);
  double surprises = 0;
  size_t tokens = 0;
  for (const Text& text : texts) {
    const SequenceSlice slice{
        .tokens = text, .position = 0, .blocks = blocks, .logits = static_cast<int>(text.size())};
    auto logits = (*backend)->forward(std::span(&slice, 1));
    const auto vocabulary = static_cast<size_t>((*backend)->vocabulary_size());
    for (size_t next = 1; next < text.size(); ++next, ++tokens) {
      surprises += surprise(logits.first(vocabulary), text[next]);
      logits = logits.subspan(vocabulary);
    }
  }
  return std::exp(surprises / static_cast<double>(tokens));
}

TEST(Perplexity, OfTinyStoriesInQ8_0IsThatOfF32) {
  SKIP_WITHOUT(testdata_path("models/tinystories-656K"));
  const model::ModelFile file = open_tiny_stories();
  const std::vector<Text> texts = texts_of_its_own();
  size_t tokens = 0;
  for (const Text& text : texts) tokens += text.size();
  ASSERT_GT(tokens, 4'000u);
  ASSERT_LT(weight_bytes(file, Quantise::kQ8_0), weight_bytes(file, Quantise::kF32) * 7 / 10)
      << "nothing was rounded";

  // As it is served, with K/V in bf16.
  const double exact = perplexity(file, Quantise::kF32, false, texts);
  const double eight_bits = perplexity(file, Quantise::kQ8_0, true, texts);
  const double one_scale = perplexity(file, Quantise::kW8A8, true, texts);
  const double four_bits = perplexity(file, Quantise::kQ4_0, true, texts);
  fmt::print(
      "perplexity over {} tokens: F32 {:.5f}, Q8_0 {:.5f} ({:+.3f}%), W8 {:.5f} ({:+.3f}%), Q4_0 {:.5f} "
      "({:+.3f}%)\n",
      tokens, exact, eight_bits, 100 * (eight_bits / exact - 1), one_scale, 100 * (one_scale / exact - 1),
      four_bits, 100 * (four_bits / exact - 1));
  EXPECT_LT(std::abs(eight_bits / exact - 1), 0.005);
  EXPECT_NE(eight_bits, exact);
  EXPECT_LT(std::abs(one_scale / exact - 1), 0.005);
  EXPECT_NE(one_scale, eight_bits);
  EXPECT_GT(four_bits / exact, 1.005) << "the text is too short or too easy to tell a loss";
}

}  // namespace
}  // namespace feilun::engine
