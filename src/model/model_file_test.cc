#include "model/model_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/temporary_directory.h"
#include "base/testdata.h"
#include "model/convert.h"
#include "model/inspect.h"
#include "model/mapped_file.h"

namespace feilun::model {
namespace {

namespace fs = std::filesystem;

const fs::path kStories = testdata_path("models/stories260K");
const fs::path kTinyStories = testdata_path("models/tinystories-656K");

std::string decode(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::string text;
  for (const TokenId id : ids) text += tokenizer.bytes(id);
  return text;
}

TEST(ModelFile, OpensAHuggingFaceDirectory) {
  SKIP_WITHOUT(kTinyStories);
  const auto model = open_model(kTinyStories);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->format, "Hugging Face");
  EXPECT_EQ(model->shape.architecture, "llama");
  EXPECT_EQ(model->shape.head_dim, 16);
  EXPECT_EQ(model->shape.rope_pairs, RopePairs::kHalves);
  EXPECT_TRUE(model->shape.tied_embeddings);
  EXPECT_EQ(model->end_tokens, std::vector<TokenId>({2}));
  EXPECT_EQ(model->tokenizer->bos(), 1);
  const TensorView* embedding = model->weights->find("token_embd.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->dims[0], 128);
  EXPECT_EQ(embedding->dims[1], 2048);
  EXPECT_EQ(decode(*model->tokenizer, model->tokenizer->encode("Once upon a time")), " Once upon a time");
}

TEST(ModelFile, OpensWhatItConvertsFromLlama2c) {
  SKIP_WITHOUT(kStories);
  const TemporaryDirectory scratch;
  const auto done =
      convert_llama2c(kStories / "stories260K.bin", kStories / "tok512.bin", scratch / "s.gguf");
  ASSERT_TRUE(done) << done.error().message;
  const auto model = open_model(scratch / "s.gguf");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->format, "GGUF v3");
  EXPECT_EQ(model->shape.rope_pairs, RopePairs::kNeighbours);
  EXPECT_EQ(model->shape.kv_heads, 4);
  EXPECT_EQ(model->shape.vocabulary, 512);
  EXPECT_TRUE(model->shape.tied_embeddings);
  EXPECT_EQ(model->tokenizer->bos(), 1);
  EXPECT_TRUE(model->tokenizer->strips_leading_space());
  const std::string story = "Once upon a time, there was a girl – 女孩.";
  EXPECT_EQ(decode(*model->tokenizer, model->tokenizer->encode(story)), " " + story);
}

TEST(ModelFile, ConvertedHuggingFaceModelKeepsItsTokens) {
  SKIP_WITHOUT(kTinyStories);
  const TemporaryDirectory scratch;
  const auto done = convert_model(kTinyStories, compute::DType::kQ8_0, scratch / "t.gguf");
  ASSERT_TRUE(done) << done.error().message;
  const auto original = open_model(kTinyStories);
  const auto model = open_model(scratch / "t.gguf");
  ASSERT_TRUE(original && model) << model.error().message;
  EXPECT_EQ(model->shape.rope_pairs, RopePairs::kNeighbours);
  EXPECT_EQ(model->weights->find("blk.0.attn_q.weight")->type, compute::DType::kQ8_0);
  EXPECT_EQ(model->weights->find("blk.0.attn_norm.weight")->type, compute::DType::kF32);
  for (const char* text : {"", " ", "Lily was sad.", "a  b\n\tc", "女孩 \xff"}) {
    EXPECT_EQ(model->tokenizer->encode(text), original->tokenizer->encode(text)) << text;
  }
}

/// Row `row` of a matrix in F32.
std::span<const float> row_of(const TensorView& tensor, int64_t row) {
  return {reinterpret_cast<const float*>(tensor.data.data()) + row * tensor.dims[0],
          static_cast<size_t>(tensor.dims[0])};
}

TEST(ModelFile, ConversionPutsTheRowsOfQAndKIntoGgufOrder) {
  SKIP_WITHOUT(kTinyStories);
  const TemporaryDirectory scratch;
  const auto done = convert_model(kTinyStories, compute::DType::kF32, scratch / "rows.gguf");
  ASSERT_TRUE(done) << done.error().message;
  const auto original = open_model(kTinyStories);
  const auto model = open_model(scratch / "rows.gguf");
  ASSERT_TRUE(original && model);
  const int half = original->shape.head_dim / 2;
  for (const char* name : {"blk.1.attn_q.weight", "blk.1.attn_k.weight"}) {
    const TensorView& from = *original->weights->find(name);
    const TensorView& to = *model->weights->find(name);
    for (int64_t row = 0; row < from.dims[1]; ++row) {
      const int64_t head = row / (2 * half) * 2 * half;
      const int64_t at = row % (2 * half);
      // Element j of a head's first half and element j of its second half become neighbours.
      const int64_t target = at < half ? head + 2 * at : head + 2 * (at - half) + 1;
      EXPECT_TRUE(std::ranges::equal(row_of(from, row), row_of(to, target))) << name << " row " << row;
    }
  }
  const TensorView& value = *model->weights->find("blk.1.attn_v.weight");
  EXPECT_TRUE(std::ranges::equal(row_of(value, 5), row_of(*original->weights->find(value.name), 5)));
}

TEST(ModelFile, AFailedConversionLeavesNothingBehind) {
  SKIP_WITHOUT(kStories);
  const TemporaryDirectory scratch;
  EXPECT_FALSE(
      convert_llama2c(kStories / "stories260K.bin", kStories / "stories260K.bin", scratch / "x.gguf"));
  EXPECT_FALSE(fs::exists(scratch / "x.gguf"));
  const auto missing = convert_model(kTinyStories, {}, scratch / "no" / "such" / "folder.gguf");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kIo);
}

TEST(ModelFile, IsNotConvertedWhenAGgufCannotSayWhatItsTokenizerDoes) {
  const TemporaryDirectory scratch;
  const fs::path from = fs::path(FEILUN_SOURCE_DIR) / "tests/golden/models/llama";
  fs::copy(from, scratch / "model", fs::copy_options::recursive);
  ASSERT_TRUE(convert_model(scratch / "model", {}, scratch / "out.gguf"));
  const fs::path file = scratch / "model" / "tokenizer.json";
  std::ifstream in(file);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  constexpr std::string_view kNone = R"("normalizer":null)";
  ASSERT_NE(text.find(kNone), text.npos);
  text.replace(text.find(kNone), kNone.size(), R"("normalizer":{"type":"Lowercase"})");
  std::ofstream(file) << text;
  ASSERT_TRUE(open_model(scratch / "model"));
  const auto refused = convert_model(scratch / "model", {}, scratch / "out.gguf");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("tokenizer"), std::string::npos) << refused.error().message;
}

TEST(Inspect, DescribesAModelAndSaysWhetherItLoads) {
  SKIP_WITHOUT(kTinyStories);
  const auto found = inspect_model(kTinyStories);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->parameters, 656'000);
  EXPECT_EQ(found->weight_bytes, 4 * 656'000);
  EXPECT_EQ(found->kv_bytes_per_token, 2 * 2 * 4 * 16 * 2);
  EXPECT_EQ(found->refusal, "");
  EXPECT_GE(found->loaded_bytes, 4 * 656'000);
  EXPECT_LE(found->loaded_bytes, 4 * 656'000 * 105 / 100);
  const std::string text = describe(*found);
  EXPECT_NE(text.find("SentencePiece BPE by rank, 2048 tokens"), std::string::npos) << text;
  EXPECT_NE(text.find("for a sequence that fills the context"), std::string::npos) << text;
}

TEST(Inspect, DescribesWhatItRefuses) {
  const auto path = testdata_path("tokenizers/gguf-vocab/ggml-vocab-gpt-2.gguf");
  SKIP_WITHOUT(path);
  const auto found = inspect_model(path);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->architecture, "gpt2");
  EXPECT_NE(found->refusal.find("gpt2"), std::string::npos);
}

}  // namespace
}  // namespace feilun::model
