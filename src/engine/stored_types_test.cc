#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "engine/backend.h"

// A model whose matrices have all the types that no kernel multiplies: read from its file, requantised, and
// run.

namespace feilun::engine {
namespace {

using Quantise = BackendOptions::Quantise;

const std::string kGolden = std::string(FEILUN_SOURCE_DIR) + "/tests/golden/gguf/";

struct Expected {
  std::vector<TokenId> tokens;
  std::vector<double> logits;
};

Expected read_expected() {
  std::ostringstream text;
  text << std::ifstream(kGolden + "mixed_logits.json").rdbuf();
  const JsonDocument document = JsonDocument::parse(text.str()).value();
  Expected expected;
  for (const int64_t token : document.root()["tokens"].get_array()) {
    expected.tokens.push_back(static_cast<TokenId>(token));
  }
  for (const double logit : document.root()["logits"].get_array()) expected.logits.push_back(logit);
  return expected;
}

std::vector<double> logits_of(const model::ModelFile& file, const std::vector<TokenId>& tokens,
                              const BackendOptions& options) {
  const auto backend = make_cpu_backend(file, options);
  if (!backend) throw std::runtime_error(backend.error().message);
  const std::vector<int32_t> blocks = {0, 1, 2, 3};
  const SequenceSlice slice{.tokens = tokens, .position = 0, .blocks = blocks, .wants_logits = true};
  const auto logits = (*backend)->forward(std::span(&slice, 1));
  return {logits.begin(), logits.end()};
}

std::vector<double> probabilities(std::vector<double> logits) {
  double sum = 0;
  for (double& x : logits) sum += x = std::exp(x);
  for (double& x : logits) x /= sum;
  return logits;
}

double divergence(const std::vector<double>& exact, const std::vector<double>& found) {
  const auto p = probabilities(exact);
  const auto q = probabilities(found);
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += p[i] * std::log(p[i] / q[i]);
  return sum;
}

TEST(StoredTypes, InF32TheyAnswerAsTheReferenceDoes) {
  const auto file = model::open_model(kGolden + "mixed.gguf");
  ASSERT_TRUE(file) << file.error().message;
  const Expected expected = read_expected();
  const auto logits =
      logits_of(*file, expected.tokens, {.quantise = Quantise::kF32, .kv_bf16 = false, .kv_blocks = 4});
  ASSERT_EQ(logits.size(), expected.logits.size());
  for (size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(logits[i], expected.logits[i], 3e-5) << i;
}

TEST(StoredTypes, RequantisedTheyDivergeLittle) {
  const auto file = model::open_model(kGolden + "mixed.gguf");
  ASSERT_TRUE(file) << file.error().message;
  const Expected expected = read_expected();
  const auto logits = logits_of(*file, expected.tokens, {.kv_bf16 = false, .kv_blocks = 4});
  EXPECT_LT(divergence(expected.logits, logits), 1e-3);
  EXPECT_NE(logits, expected.logits);
  // Whoever asks for four bits gets no second rounding of weights that are quantised already.
  EXPECT_EQ(
      logits_of(*file, expected.tokens, {.quantise = Quantise::kQ4_0, .kv_bf16 = false, .kv_blocks = 4}),
      logits);
}

TEST(StoredTypes, TakeTheMemoryOfEightBits) {
  const auto mixed = model::open_model(kGolden + "mixed.gguf");
  ASSERT_TRUE(mixed) << mixed.error().message;
  int64_t expected = 0;
  for (const model::TensorView& tensor : mixed->weights->tensors()) {
    const int64_t columns = (tensor.dims[1] + 31) / 32 * 32;
    if (tensor.rank == 2) expected += tensor.dims[0] * columns / 32 * 34;
  }
  const int64_t table = static_cast<int64_t>(mixed->weights->find("token_embd.weight")->data.size());
  const int64_t bytes = weight_bytes(*mixed, Quantise::kAsStored);
  EXPECT_GE(bytes, expected + table) << "rows of the table are read from the file";
  EXPECT_LT(bytes, expected + table + 8 * 1024) << "norms";
}

}  // namespace
}  // namespace feilun::engine
