#include "gateway/embedding_reply.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "base/json.h"

namespace feilun::gateway {
namespace {

std::string written(std::vector<float> vector, bool base64) {
  std::string out;
  append_vector(out, vector, base64);
  return out;
}

/// What RFC 4648 says of four known floats and of the three ways to end.
TEST(EmbeddingReply, Base64IsTheLittleEndianBytes) {
  EXPECT_EQ(written({}, true), R"("")");
  EXPECT_EQ(written({1.0f}, true), R"("AACAPw==")");
  EXPECT_EQ(written({1.0f, -2.0f}, true), R"("AACAPwAAAMA=")");
  EXPECT_EQ(written({1.0f, -2.0f, 0.1f}, true), R"("AACAPwAAAMDNzMw9")");
}

TEST(EmbeddingReply, EveryFloatIsReadBackAsItWas) {
  std::vector<float> vector = {
      0.0f, -0.0f, 1.0f, 0.1f, -1e-7f, 3.4e38f, std::numeric_limits<float>::denorm_min()};
  uint32_t bits = 1;
  while (vector.size() < 1000) {
    bits = bits * 1664525 + 1013904223;
    const auto x = std::bit_cast<float>(bits);
    if (std::isfinite(x)) vector.push_back(x);
  }
  const std::string json = written(vector, false);
  const auto document = JsonDocument::parse(json);
  ASSERT_TRUE(document) << json;
  size_t i = 0;
  for (const auto element : document->root().get_array().value()) {
    EXPECT_EQ(static_cast<float>(element.get_double().value()), vector[i++]);
  }
  EXPECT_EQ(i, vector.size());
}

TEST(EmbeddingReply, HasOpenAisShape) {
  Ending ending{.charged = Money::pico(1'500'000), .currency = "CNY"};
  ending.usage.input_fresh = 3;
  const std::vector<float> vectors = {1, 0, 0.6f, 0.8f};
  EXPECT_EQ(
      embedding_reply("a \"model\"", vectors, {.width = 2, .dimensions = 2}, ending),
      R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,0]},)"
      R"({"object":"embedding","index":1,"embedding":[0.6,0.8]}],"model":"a \"model\"",)"
      R"("usage":{"prompt_tokens":3,"total_tokens":3},"feilun":{"charged":"0.0000015","currency":"CNY"}})");
}

TEST(EmbeddingReply, IsNoLongerThanItsBound) {
  for (const bool base64 : {false, true}) {
    for (const size_t count : {1, 2, 1000}) {
      const std::vector<float> vectors(count * 100, -std::numeric_limits<float>::min());
      const VectorFormat format{.width = 100, .dimensions = 100, .base64 = base64};
      const size_t bytes = embedding_reply("m", vectors, format, {}).size();
      const size_t bound = embedding_reply_bytes(count, format);
      EXPECT_LE(bytes, bound);
      EXPECT_GE(embedding_reply_memory(count, format), 2 * bytes + vectors.size() * sizeof(float));
      if (count == 1000) EXPECT_GT(bytes, bound * 8 / 10);
    }
  }
}

TEST(EmbeddingReply, FewerDimensionsHaveALengthOfOneAgain) {
  const std::vector<float> vectors = {0.6f, 0.0f, 0.8f, 0.48f, 0.64f, 0.6f};
  const std::string reply = embedding_reply("m", vectors, {.width = 3, .dimensions = 2}, {});
  const auto document = JsonDocument::parse(reply);
  ASSERT_TRUE(document) << reply;
  const auto number = [&](std::string_view pointer) {
    return document->root().at_pointer(pointer).get_double().value();
  };
  EXPECT_EQ(number("/data/0/embedding/0"), 1);
  EXPECT_EQ(number("/data/0/embedding/1"), 0);
  EXPECT_NEAR(number("/data/1/embedding/0"), 0.6, 1e-7);
  EXPECT_NEAR(number("/data/1/embedding/1"), 0.8, 1e-7);
  EXPECT_TRUE(document->root().at_pointer("/data/1/embedding/2").error());
}

}  // namespace
}  // namespace feilun::gateway
