#include "model/encoder_last_token.h"

#include <gmock/gmock.h>

#include "model/encoder_test_texts.h"

namespace feilun::model {
namespace {

ModelFile tiny() {
  return open_model(golden_path("models/tiny-qwen3-embedding")).value();
}

TEST(LastToken, GivesTheVectorsOfSentenceTransformers) {
  expect_golden(golden_path("models/tiny-qwen3-embedding"), "tiny-qwen3-embedding", Pooling::kLast);
}

TEST(LastToken, AVectorIsTheSameAloneAndInAnyCompany) {
  const ModelFile file = tiny();
  auto inputs = golden_ids("tiny-qwen3-embedding");
  for (const bool bf16 : {false, true}) {
    const auto encoder =
        load_encoder(file, {.kv_bf16 = bf16, .threads = 2, .window = 512, .pass_tokens = 2048}).value();
    const Vectors together = vectors_of(*encoder, inputs);
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_EQ(vectors_of(*encoder, std::span(&inputs[i], 1)).front(), together[i]) << i;
    }
  }
}

/// Alone it is cut into chunks from its beginning, behind another text from somewhere else.
TEST(LastToken, ALongTextIsTheSameHoweverItIsCut) {
  const ModelFile file = tiny();
  std::vector<TokenId> text;
  for (int i = 0; i < 512; ++i) text.push_back(i * 7 % 256);
  const auto encoder = load_encoder(file, {.window = 512, .pass_tokens = 1024}).value();
  const Vectors alone = vectors_of(*encoder, std::span(&text, 1));
  const Vectors behind = vectors_of(*encoder, std::vector<std::vector<TokenId>>{{5, 6, 7}, text, {8}});
  EXPECT_EQ(behind[1], alone[0]);
  EXPECT_NE(behind[0], alone[0]);
}

TEST(LastToken, APassEndsBetweenChunksAndCountsThoseBefore) {
  const ModelFile file = tiny();
  const std::vector<TokenId> text(500, 5);
  const auto encoder = load_encoder(file, {.threads = 1, .window = 512, .pass_tokens = 1024}).value();
  const std::vector<std::span<const TokenId>> inputs = {text, text};
  const std::span<const float> made = encoder->vectors(inputs);
  const std::vector<float> whole(made.begin(), made.end());
  for (int chunks = 0; chunks < 4; ++chunks) {
    const EncodedPass ended = encoder->run(inputs, go_on_for(chunks));
    EXPECT_TRUE(ended.vectors.empty());
    EXPECT_EQ(ended.tokens, chunks * 256);
  }
  const EncodedPass pass = encoder->run(inputs, go_on_for(4));
  EXPECT_TRUE(std::ranges::equal(pass.vectors, whole));
  EXPECT_EQ(pass.tokens, 1000);
}

TEST(LastToken, OtherPoolingIsRefused) {
  ModelFile file = tiny();
  file.pooling = Pooling::kMean;
  const auto refused = load_encoder(file, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("last token here, not the mean"));
}

}  // namespace
}  // namespace feilun::model
