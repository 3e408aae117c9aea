#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/temporary_directory.h"
#include "base/testdata.h"
#include "engine/backend.h"
#include "model/convert.h"
#include "model/decoder_test_model.h"

/// The whole computation against others': transformers on made-up weights, and trained models whose greedy
/// text is known.

namespace feilun::engine {
namespace {

using model::ModelFile;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::filesystem::path golden(std::string_view name) {
  return std::filesystem::path(FEILUN_SOURCE_DIR) / "tests/golden" / name;
}

/// A backend in full precision with one sequence on it.
class Reader {
 public:
  Reader(const ModelFile& file, int64_t tokens) : blocks_(static_cast<size_t>(tokens + 15) / 16) {
    std::iota(blocks_.begin(), blocks_.end(), 0);
    backend_ = make_cpu_backend(file, {.quantise = Quantise::kF32,
                                       .kv_bf16 = false,
                                       .kv_blocks = static_cast<int64_t>(blocks_.size()),
                                       .threads = 2})
                   .value();
  }
  std::span<const float> read(std::span<const TokenId> tokens) {
    const SequenceSlice slice{.tokens = tokens, .position = position_, .blocks = blocks_, .logits = 1};
    position_ += static_cast<int64_t>(tokens.size());
    return backend_->forward(std::span(&slice, 1));
  }

 private:
  std::vector<int32_t> blocks_;
  std::unique_ptr<Backend> backend_;
  int64_t position_ = 0;
};

TokenId best(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

std::vector<TokenId> greedy(const ModelFile& file, std::span<const TokenId> prompt, int steps) {
  Reader reader(file, static_cast<int64_t>(prompt.size()) + steps);
  std::vector<TokenId> out;
  auto logits = reader.read(prompt);
  while (static_cast<int>(out.size()) < steps) {
    out.push_back(best(logits));
    if (static_cast<int>(out.size()) < steps) logits = reader.read(std::span(&out.back(), 1));
  }
  return out;
}

void expect_transformers_logits(const std::string& name, const model::Hyperparameters& shape) {
  const JsonDocument document = JsonDocument::parse(read_file(golden("decoder_logits.json"))).value();
  const ModelFile file = random_model(shape, compute::DType::kF32);
  for (const auto answer : document.root().get_array()) {
    if (std::string_view(answer["model"]) != name) continue;
    std::vector<int64_t> expected_greedy;
    for (const int64_t token : answer["greedy"].get_array()) expected_greedy.push_back(token);
    std::vector<double> expected;
    for (const double logit : answer["last"].get_array()) expected.push_back(logit);
    model::TestNumbers numbers(7);
    Reader reader(file, static_cast<int64_t>(expected_greedy.size()));
    std::vector<float> last;
    for (const int64_t token : expected_greedy) {
      const auto next = static_cast<TokenId>(numbers.bits() % static_cast<uint32_t>(shape.vocabulary));
      const auto logits = reader.read(std::span(&next, 1));
      ASSERT_EQ(best(logits), token);
      last.assign(logits.begin(), logits.end());
    }
    double largest = 0;
    for (const double logit : expected) largest = std::max(largest, std::abs(logit));
    ASSERT_EQ(last.size(), expected.size());
    for (size_t i = 0; i < last.size(); ++i) ASSERT_NEAR(last[i], expected[i], 1e-5 * largest);
    return;
  }
  FAIL() << "no answer for " << name;
}

TEST(GoldenLogits, LlamaEqualsTransformers) {
  auto shape = model::small_llama();
  shape.rope_pairs = model::RopePairs::kHalves;
  expect_transformers_logits("llama", shape);
}

TEST(GoldenLogits, Qwen3EqualsTransformers) {
  expect_transformers_logits("qwen3", model::small_qwen3());
}

TEST(GoldenText, Stories260KIsGreedyToTheByte) {
  const auto folder = testdata_path("models/stories260K");
  SKIP_WITHOUT(folder);
  const TemporaryDirectory scratch;
  const auto gguf = scratch / "stories260K.gguf";
  const auto converted = model::convert_llama2c(folder / "stories260K.bin", folder / "tok512.bin", gguf);
  ASSERT_TRUE(converted.has_value()) << converted.error().message;
  const auto file = model::open_model(gguf);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const std::vector<TokenId> prompt = {file->tokenizer->bos()};
  const std::string expected = read_file(folder / "expected_greedy_200_steps.txt");
  std::string text;
  for (const TokenId token : greedy(*file, prompt, 200)) text += file->tokenizer->bytes(token);
  if (text.starts_with(' ') && file->tokenizer->strips_leading_space()) text.erase(0, 1);
  EXPECT_EQ(text, expected);
}

TEST(GoldenText, TinyStoriesEqualsTransformers) {
  const auto folder = testdata_path("models/tinystories-656K");
  SKIP_WITHOUT(folder);
  SKIP_WITHOUT(golden("tinystories_greedy.json"));
  const auto file = model::open_model(folder);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const JsonDocument document = JsonDocument::parse(read_file(golden("tinystories_greedy.json"))).value();
  int cases = 0;
  for (const auto answer : document.root().get_array()) {
    std::vector<TokenId> prompt;
    std::vector<TokenId> expected;
    for (const int64_t token : answer["prompt_ids"].get_array())
      prompt.push_back(static_cast<TokenId>(token));
    for (const int64_t token : answer["output_ids"].get_array())
      expected.push_back(static_cast<TokenId>(token));
    EXPECT_EQ(greedy(*file, prompt, static_cast<int>(expected.size())), expected);
    ++cases;
  }
  EXPECT_GT(cases, 0);
}

}  // namespace
}  // namespace feilun::engine
