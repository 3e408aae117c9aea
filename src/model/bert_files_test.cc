#include "model/bert_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_directory.h"
#include "model/convert.h"
#include "model/encoder_test_texts.h"
#include "model/pooling_files.h"

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(BertTensorNames, AreTheOldAndTheNewOnesWithAndWithoutPrefix) {
  EXPECT_EQ(bert_tensor_name("embeddings.word_embeddings.weight"), "token_embd.weight");
  EXPECT_EQ(bert_tensor_name("bert.embeddings.LayerNorm.gamma"), "token_embd_norm.weight");
  EXPECT_EQ(bert_tensor_name("bert.embeddings.LayerNorm.bias"), "token_embd_norm.bias");
  EXPECT_EQ(bert_tensor_name("encoder.layer.11.attention.self.query.bias"), "blk.11.attn_q.bias");
  EXPECT_EQ(bert_tensor_name("bert.encoder.layer.0.attention.output.LayerNorm.beta"),
            "blk.0.attn_output_norm.bias");
  EXPECT_EQ(bert_tensor_name("encoder.layer.3.output.dense.weight"), "blk.3.ffn_down.weight");
  EXPECT_EQ(bert_tensor_name("bert.pooler.dense.weight"), "");
  EXPECT_EQ(bert_tensor_name("cls.predictions.bias"), "");
  for (const char* unknown : {"encoder.layer.x.output.dense.weight", "encoder.layer.1", "", "bert.",
                              "encoder.layer.1.output.dense.scale", "linear.weight"}) {
    EXPECT_EQ(bert_tensor_name(unknown), unknown);
  }
}

/// A copy of the small BERT's directory whose files a test may change.
class BertDirectory : public ::testing::Test {
 protected:
  void SetUp() override { fs::copy(golden_path("models/tiny-bert"), path_, fs::copy_options::recursive); }

  void write(std::string_view name, std::string_view text) {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  void replace(std::string_view name, std::string_view from, std::string_view to) {
    std::ifstream file(path_ / name, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    const size_t at = text.find(from);
    ASSERT_NE(at, text.npos) << from;
    write(name, text.replace(at, from.size(), to));
  }
  std::string refusal() {
    const auto file = open_model(path_);
    return file ? "" : file.error().message;
  }
  ModelFile opened() { return open_model(path_).value(); }

  const TemporaryDirectory folder_;
  const fs::path path_ = folder_ / "model";
};

TEST_F(BertDirectory, TheWindowIsTheShortestThatAFileNames) {
  EXPECT_EQ(opened().shape.context, 128);
  write("sentence_bert_config.json", R"({"max_seq_length": 20})");
  EXPECT_EQ(opened().shape.context, 20);
  write("sentence_bert_config.json", R"({"max_seq_length": 999})");
  EXPECT_EQ(opened().shape.context, 128);
  write("sentence_bert_config.json", R"({"max_seq_length": 1e30})");
  EXPECT_EQ(opened().shape.context, 128);
  fs::remove(path_ / "sentence_bert_config.json");
  fs::remove(path_ / "tokenizer_config.json");
  EXPECT_EQ(opened().shape.context, 128);
}

TEST_F(BertDirectory, EveryWayToNameThePoolingIsRead) {
  const auto pooling = [&](std::string_view config) {
    write("1_Pooling/config.json", config);
    const auto file = open_model(path_);
    return file ? std::string(pooling_name(file->pooling)) : file.error().message;
  };
  EXPECT_EQ(pooling(R"({"pooling_mode":"mean"})"), "mean");
  EXPECT_EQ(pooling(R"({"pooling_mode":"cls"})"), "first token");
  EXPECT_EQ(pooling(R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})"), "first token");
  EXPECT_EQ(pooling(R"({"pooling_mode_lasttoken":true})"), "last token");
  EXPECT_EQ(pooling("{}"), "mean");
  EXPECT_THAT(pooling(R"({"pooling_mode":"max"})"), HasSubstr("\"max\""));
  EXPECT_THAT(pooling(R"({"pooling_mode_max_tokens":true})"), HasSubstr("max_tokens"));
  EXPECT_THAT(pooling(R"({"pooling_mode":["mean","cls"]})"), HasSubstr("pooling_mode is not a string"));
  EXPECT_THAT(pooling(R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":true})"),
              HasSubstr("several ways"));
  fs::remove(path_ / "modules.json");
  EXPECT_EQ(pooling("{}"), "mean");
}

TEST_F(BertDirectory, StepsThatAreNotComputedAreRefused) {
  replace("modules.json", "models.Normalize", "models.Dense");
  EXPECT_THAT(refusal(), HasSubstr("a step \"Dense\""));
  for (const char* broken :
       {"", "{}", "[1]", R"([{"type":"Pooling","path":"../.."}])", R"([{"type":"Pooling"}])"}) {
    write("modules.json", broken);
    EXPECT_NE(refusal(), "") << broken;
  }
}

TEST_F(BertDirectory, WhatWouldChangeEveryTextIsRefused) {
  write("sentence_bert_config.json", R"({"max_seq_length": 20, "do_lower_case": true})");
  EXPECT_EQ(refusal(), "") << "its tokenizer lowers letters itself";
  replace("tokenizer.json", "\"lowercase\": true", "\"lowercase\": false");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("sentence_bert_config.json"), HasSubstr("do_lower_case")));
  write("sentence_bert_config.json", R"({"max_seq_length": 20, "do_lower_case": 1})");
  EXPECT_THAT(refusal(), HasSubstr("do_lower_case is neither"));
  write("sentence_bert_config.json", R"({"max_seq_length": 20, "do_lower_case": false})");
  EXPECT_EQ(refusal(), "");
  write("config_sentence_transformers.json", R"({"prompts": {"q": "Q: "}, "default_prompt_name": null})");
  EXPECT_EQ(refusal(), "");
  write("config_sentence_transformers.json", R"({"prompts": {"q": "Q: "}, "default_prompt_name": "q"})");
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("config_sentence_transformers.json"), HasSubstr("default_prompt_name")));
}

TEST_F(BertDirectory, IsNotConverted) {
  const auto converted = convert_model(path_, std::nullopt, path_ / "out.gguf");
  ASSERT_FALSE(converted);
  EXPECT_EQ(converted.error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(fs::exists(path_ / "out.gguf"));
}

TEST_F(BertDirectory, WhatIsNotComputedIsRefused) {
  replace("config.json", "\"gelu\"", "\"relu\"");
  EXPECT_THAT(refusal(), HasSubstr("relu"));
  replace("config.json", "\"relu\"", "\"gelu\"");
  replace("config.json", "{", R"({"position_embedding_type":"relative_key",)");
  EXPECT_THAT(refusal(), HasSubstr("absolute positions"));
}

TEST_F(BertDirectory, NumbersThatDoNotFitTheTensorsAreRefused) {
  const auto with = [&](std::string_view from, std::string_view to) {
    replace("config.json", from, to);
    const std::string message = refusal();
    replace("config.json", to, from);
    return message;
  };
  EXPECT_THAT(with("\"hidden_size\": 32", "\"hidden_size\": 64"), HasSubstr("shape"));
  EXPECT_THAT(with("\"hidden_size\": 32", "\"hidden_size\": 0"), HasSubstr("from 1 to"));
  EXPECT_THAT(with("\"num_attention_heads\": 4", "\"num_attention_heads\": 5"), HasSubstr("do not divide"));
  EXPECT_THAT(with("\"num_attention_heads\": 4", "\"num_attention_heads\": 0"), HasSubstr("do not divide"));
  EXPECT_THAT(with("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"), HasSubstr("missing"));
  EXPECT_THAT(with("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"),
              HasSubstr("does not compute with"));
  EXPECT_THAT(with("\"max_position_embeddings\": 128", "\"max_position_embeddings\": 129"),
              HasSubstr("shape"));
  EXPECT_THAT(with("\"max_position_embeddings\": 128", "\"max_position_embeddings\": -1"),
              HasSubstr("from 1 to"));
  EXPECT_THAT(with("\"type_vocab_size\": 2", "\"type_vocab_size\": 0"), HasSubstr("shape"));
  EXPECT_THAT(with("\"vocab_size\": 200", "\"vocab_size\": 1000000"), HasSubstr("shape"));
  EXPECT_EQ(refusal(), "");
}

}  // namespace
}  // namespace feilun::model
