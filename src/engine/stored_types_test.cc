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

const std::string kGolden = std::string(FEILUN_SOURCE_DIR) + "/tests/golden/gguf/";

using Rows = std::vector<std::vector<double>>;

/// What another engine answers: the logits after each token.
struct Answers {
  std::vector<TokenId> tokens;
  Rows logits;
};

Answers read_answers(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(kGolden + name).rdbuf();
  const JsonDocument document = JsonDocument::parse(text.str()).value();
  Answers answers;
  for (const int64_t token : document.root()["tokens"].get_array()) {
    answers.tokens.push_back(static_cast<TokenId>(token));
  }
  for (const auto row : document.root()["logits"].get_array()) {
    answers.logits.emplace_back();
    for (const double logit : row.get_array()) answers.logits.back().push_back(logit);
  }
  return answers;
}

Rows run(const std::vector<TokenId>& tokens, Quantise quantise) {
  const auto file = model::open_model(kGolden + "mixed.gguf");
  if (!file) throw std::runtime_error(file.error().message);
  const auto backend = make_cpu_backend(*file, {.quantise = quantise, .kv_bf16 = false, .kv_blocks = 4});
  if (!backend) throw std::runtime_error(backend.error().message);
  const std::vector<int32_t> blocks = {0, 1, 2, 3};
  Rows rows;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const SequenceSlice slice{.tokens = std::span(tokens).subspan(i, 1),
                              .position = static_cast<int64_t>(i),
                              .blocks = blocks,
                              .logits = 1};
    const auto logits = (*backend)->forward(std::span(&slice, 1));
    rows.emplace_back(logits.begin(), logits.end());
  }
  return rows;
}

std::vector<double> probabilities(std::vector<double> logits) {
  double sum = 0;
  for (double& x : logits) sum += x = std::exp(x);
  for (double& x : logits) x /= sum;
  return logits;
}

/// The mean Kullback-Leibler divergence of `found` from `exact`.
double divergence(const Rows& exact, const Rows& found) {
  double sum = 0;
  for (size_t row = 0; row < exact.size(); ++row) {
    const auto p = probabilities(exact[row]);
    const auto q = probabilities(found[row]);
    for (size_t i = 0; i < p.size(); ++i) sum += p[i] * std::log(p[i] / q[i]);
  }
  return sum / static_cast<double>(exact.size());
}

TEST(StoredTypes, InF32TheyAnswerAsTransformersDoes) {
  const Answers exact = read_answers("mixed_logits.json");
  const Rows found = run(exact.tokens, Quantise::kF32);
  ASSERT_EQ(found.size(), exact.logits.size());
  for (size_t row = 0; row < found.size(); ++row) {
    ASSERT_EQ(found[row].size(), exact.logits[row].size());
    for (size_t i = 0; i < found[row].size(); ++i) {
      EXPECT_NEAR(found[row][i], exact.logits[row][i], 3e-5) << row << ", " << i;
    }
  }
}

TEST(StoredTypes, RequantisedTheyDivergeAboutAsLittleAsLlamaCpp) {
  const Answers exact = read_answers("mixed_logits.json");
  const Answers theirs = read_answers("mixed_llama_cpp.json");
  ASSERT_EQ(theirs.tokens, exact.tokens);
  const Rows ours = run(exact.tokens, Quantise::kAsStored);
  const double divergence_of_ours = divergence(exact.logits, ours);
  RecordProperty("ours", fmt::format("{:.6f}", divergence_of_ours));
  EXPECT_GT(divergence_of_ours, 0);
  // Less for a model of K types alone, a little more for this one, a third of which is Q4_1 and Q5_1.
  EXPECT_LT(divergence_of_ours, 1.3 * divergence(exact.logits, theirs.logits));
  EXPECT_LT(divergence(theirs.logits, ours), 1e-3);
}

TEST(StoredTypes, AreNotRoundedToFourBitsASecondTime) {
  const std::vector<TokenId> tokens = {1, 3, 10, 4};
  EXPECT_EQ(run(tokens, Quantise::kQ4_0), run(tokens, Quantise::kAsStored));
  EXPECT_EQ(run(tokens, Quantise::kQ8_0), run(tokens, Quantise::kAsStored));
  EXPECT_NE(run(tokens, Quantise::kF32), run(tokens, Quantise::kAsStored));
}

TEST(StoredTypes, TakeTheMemoryOfTheNearestPackedType) {
  const auto mixed = model::open_model(kGolden + "mixed.gguf");
  ASSERT_TRUE(mixed) << mixed.error().message;
  int64_t expected = 0;
  for (const model::TensorView& tensor : mixed->weights->tensors()) {
    const int64_t columns = (tensor.dims[1] + 31) / 32 * 32;
    if (tensor.rank != 2) continue;
    const bool four_bits = tensor.type == compute::DType::kQ4_1 || tensor.type == compute::DType::kQ4_K;
    const bool five_bits = tensor.type == compute::DType::kQ5_1 || tensor.type == compute::DType::kQ5_K;
    expected += tensor.dims[0] * columns / 32 * (four_bits ? 20 : five_bits ? 36 : 34);
  }
  const int64_t table = static_cast<int64_t>(mixed->weights->find("token_embd.weight")->data.size());
  const int64_t bytes = weight_bytes(*mixed, Quantise::kAsStored);
  EXPECT_GE(bytes, expected + table) << "rows of the table are read from the file";
  EXPECT_LT(bytes, expected + table + 8 * 1024) << "norms";
}

}  // namespace
}  // namespace feilun::engine
