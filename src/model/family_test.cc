#include "model/family.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/temporary_directory.h"
#include "model/decoder_rope.h"
#include "model/fused_tensors.h"
#include "model/mapped_file.h"

/// What each family's config.json means, and what of it is refused.

namespace feilun::model {
namespace {

namespace fs = std::filesystem;

fs::path golden_model(std::string_view name) {
  return fs::path(FEILUN_SOURCE_DIR) / "tests/golden/models" / name;
}

/// A copy of a tiny model whose config.json says something else.
class Changed {
 public:
  Changed(std::string_view name, std::string_view from, std::string_view to) {
    fs::copy(golden_model(name), folder_.path());
    std::string config = read_text_file(folder_ / "config.json", 1 << 16).value();
    const size_t at = config.find(from);
    if (at == config.npos) throw std::runtime_error(fmt::format("no {} in {}", from, name));
    config.replace(at, from.size(), to);
    std::ofstream(folder_ / "config.json", std::ios::binary) << config;
  }
  Result<ModelFile> open() const { return open_model(folder_.path()); }
  std::string refusal() const {
    const auto file = open();
    return file ? "" : file.error().message;
  }

 private:
  TemporaryDirectory folder_;
};

TEST(Family, AWindowThatIsNotUsedIsIgnored) {
  const auto used = open_model(golden_model("qwen2")).value();
  EXPECT_EQ(used.shape.windows, (std::vector<int>{0, 20}));
  const auto unused =
      Changed("qwen2", "\"use_sliding_window\": true", "\"use_sliding_window\": false").open().value();
  EXPECT_TRUE(unused.shape.windows.empty());
}

TEST(Family, OldFilesHaveLayersWithWindowsByTheirNumber) {
  const auto file = Changed("qwen2", "\"layer_types\"", "\"other\"").open().value();
  EXPECT_EQ(file.shape.windows, (std::vector<int>{0, 20}));
  const auto gemma = Changed("gemma2", "\"layer_types\"", "\"other\"").open().value();
  EXPECT_EQ(gemma.shape.windows, (std::vector<int>{20, 0}));
}

TEST(Family, AnAbsurdNumberOfLayersIsRefusedBeforeTheirWindowsAreRead) {
  std::string config = read_text_file(golden_model("qwen2") / "config.json", 1 << 16).value();
  for (const std::string_view key : {"\"num_hidden_layers\": 2", "\"max_window_layers\": 1"}) {
    ASSERT_NE(config.find(key), config.npos) << key;
    config.insert(config.find(key) + key.size(), "000000");
  }
  config.replace(config.find("\"layer_types\""), 13, "\"other\"");
  EXPECT_THAT(Changed("qwen2", read_text_file(golden_model("qwen2") / "config.json", 1 << 16).value(), config)
                  .refusal(),
              testing::HasSubstr("layers"));
}

TEST(Family, MoreExpertsThanTensorsAreRefusedBeforeTheyAreNamed) {
  EXPECT_THAT(Changed("qwen3moe", "\"num_local_experts\": 5", "\"num_local_experts\": 4096").refusal(),
              testing::HasSubstr("its files have"));
}

TEST(Family, ADecoderThatLooksAheadIsRefused) {
  EXPECT_THAT(Changed("qwen2", "\"hidden_act\"", "\"is_causal\": false, \"hidden_act\"").refusal(),
              testing::HasSubstr("is_causal"));
}

TEST(Family, NullMeansThatThereIsNone) {
  EXPECT_TRUE(Changed("mistral", "\"sliding_window\": 20", "\"sliding_window\": null")
                  .open()
                  .value()
                  .shape.windows.empty());
  const auto gemma =
      Changed("gemma2", "\"attn_logit_softcapping\": 4.0", "\"attn_logit_softcapping\": null").open().value();
  EXPECT_EQ(gemma.shape.score_cap, 0.0f);
  EXPECT_EQ(gemma.shape.logit_cap, 9.0f);
}

TEST(Family, ASilentConfigMeansTheFamilysOwnNumbers) {
  const auto gemma = Changed("gemma2", "\"final_logit_softcapping\": 9.0,", "").open().value();
  EXPECT_EQ(gemma.shape.logit_cap, 30.0f);
  const auto glm = Changed("glm4", "\"attention_bias\": true,", "").open().value();
  EXPECT_TRUE(glm.shape.qkv_bias);
  const auto mistral = Changed("mistral", "\"sliding_window\": 20,", "").open().value();
  EXPECT_EQ(mistral.shape.windows.front(), 4096);
}

TEST(Family, RopeOfOldFilesStandsBesideItsScaling) {
  const auto file =
      Changed("llama", "\"rope_parameters\"", "\"rope_theta\": 500.0, \"rope_scaling\"").open().value();
  EXPECT_EQ(file.shape.rope_base, 500.0f);
  EXPECT_EQ(file.shape.rope_scaling.kind, RopeScaling::Kind::kLlama3);
  EXPECT_EQ(file.shape.rope_scaling.original_context, 32);
}

struct Refused {
  const char* model;
  const char* from;
  const char* to;
  const char* sentence;
};

TEST(Family, WhatIsNotComputedIsRefused) {
  const Refused cases[] = {
      {"llama", "LlamaForCausalLM", "MambaForCausalLM", "MambaForCausalLM"},
      {"llama", "\"rope_type\": \"llama3\"", "\"rope_type\": \"dynamic\"", "dynamic"},
      {"llama", "\"rope_type\": \"llama3\"", "\"rope_type\": \"longrope\"", "longrope"},
      {"phi3", "\"rope_type\": \"default\"", "\"rope_type\": \"longrope\"", "longrope"},
      {"phi3", "\"rope_type\": \"default\"", "\"factor\": 4.0, \"rope_type\": \"yarn\"", "longrope"},
      {"llama", "\"mlp_bias\": false", "\"mlp_bias\": true", "mlp_bias"},
      {"llama", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "gelu"},
      {"gemma2", "gelu_pytorch_tanh", "relu", "relu"},
      {"gemma2", "full_attention", "chunked_attention", "chunked_attention"},
      {"qwen3moe", "\"decoder_sparse_step\": 1", "\"decoder_sparse_step\": 2", "experts"},
      {"qwen3moe", "\"mlp_only_layers\": []", "\"mlp_only_layers\": [0]", "experts"},
      {"llama", "\"factor\": 8.0", "\"factor\": -8.0", "scaling"},
      {"llama", "\"original_max_position_embeddings\": 32", "\"original_max_position_embeddings\": 0",
       "scaling"},
      {"mistral", "\"sliding_window\": 20", "\"sliding_window\": -20", "window"},
      {"qwen3moe", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 6", "experts"},
      {"glm4", "\"partial_rotary_factor\": 0.5", "\"partial_rotary_factor\": 1.5", "partial_rotary_factor"},
      {"gemma2", "\"final_logit_softcapping\": 9.0", "\"final_logit_softcapping\": -9.0", "cap"},
      {"qwen2", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "layer_types"},
      {"llama", "\"attention_bias\": false", "\"attention_bias\": true", "attn_q.bias"},
      {"llama_biased", "\"attention_bias\": true", "\"attention_bias\": false", ".bias"},
  };
  for (const Refused& test : cases) {
    EXPECT_THAT(Changed(test.model, test.from, test.to).refusal(), testing::HasSubstr(test.sentence))
        << test.model << ": " << test.to;
  }
}

TEST(Family, NamesOfTensorsAreGgufs) {
  const auto name = [](const Family& family, std::string_view from) {
    return gguf_tensor_name(family, from);
  };
  EXPECT_EQ(name(llama_family(), "model.embed_tokens.weight"), "token_embd.weight");
  EXPECT_EQ(name(llama_family(), "model.layers.31.post_attention_layernorm.weight"),
            "blk.31.ffn_norm.weight");
  EXPECT_EQ(name(gemma2_family(), "model.layers.0.post_attention_layernorm.weight"),
            "blk.0.post_attention_norm.weight");
  EXPECT_EQ(name(qwen3moe_family(), "model.layers.7.mlp.experts.12.up_proj.weight"),
            "blk.7.ffn_up.12.weight");
  EXPECT_EQ(name(qwen3moe_family(), "model.layers.7.mlp.experts.gate_up_proj"),
            "blk.7.ffn_gate_up_exps.weight");
  for (const char* other :
       {"model.layers..mlp.up_proj.weight", "model.layers.-1.mlp.up_proj.weight",
        "model.layers.0.mlp.experts.x.up_proj.weight", "model.layers.99999999999.x", "x"}) {
    EXPECT_EQ(name(llama_family(), other), other);
  }
}

TensorView named(std::string name, int rank, std::array<int64_t, 4> dims, std::span<const std::byte> bytes) {
  TensorView tensor{.name = std::move(name), .type = compute::DType::kF32, .rank = rank, .dims = dims};
  tensor.data = bytes.first(static_cast<size_t>(tensor.element_count()) * 4);
  return tensor;
}

Hyperparameters small_shape() {
  return {.architecture = "phi3",
          .layers = 1,
          .hidden = 4,
          .heads = 2,
          .kv_heads = 1,
          .head_dim = 2,
          .ffn = 3,
          .vocabulary = 9,
          .context = 16};
}

TEST(FusedTensors, AreCutWithoutACopy) {
  const std::vector<std::byte> bytes(1024);
  Hyperparameters shape = small_shape();
  shape.experts = {.count = 2, .used = 1, .ffn = 5};
  std::vector<TensorView> tensors = {named("blk.0.attn_qkv.weight", 2, {4, 8, 1, 1}, bytes),
                                     named("blk.0.attn_qkv.bias", 1, {8, 1, 1, 1}, bytes),
                                     named("blk.0.ffn_up.weight", 2, {4, 6, 1, 1}, bytes),
                                     named("blk.0.ffn_down_exps.weight", 3, {5, 4, 2, 1}, bytes),
                                     named("blk.0.ffn_gate_up_exps.weight", 3, {4, 10, 2, 1}, bytes)};
  cut_fused_tensors(shape, tensors);
  std::vector<std::string> found;
  for (const TensorView& tensor : tensors) {
    found.push_back(fmt::format("{} {}x{} at {}", tensor.name.substr(6), tensor.dims[0], tensor.dims[1],
                                tensor.data.data() - bytes.data()));
    EXPECT_EQ(tensor.data.size(), static_cast<size_t>(tensor.element_count()) * 4);
  }
  EXPECT_THAT(found, testing::ElementsAre("attn_q.weight 4x4 at 0", "attn_k.weight 4x2 at 64",
                                          "attn_v.weight 4x2 at 96", "attn_q.bias 4x1 at 0",
                                          "attn_k.bias 2x1 at 16", "attn_v.bias 2x1 at 24",
                                          "ffn_gate.weight 4x3 at 0", "ffn_up.weight 4x3 at 48",
                                          "ffn_down.0.weight 5x4 at 0", "ffn_down.1.weight 5x4 at 80",
                                          "ffn_gate.0.weight 4x5 at 0", "ffn_up.0.weight 4x5 at 80",
                                          "ffn_gate.1.weight 4x5 at 160", "ffn_up.1.weight 4x5 at 240"));
}

TEST(FusedTensors, OfAnotherShapeStayWhole) {
  const std::vector<std::byte> bytes(1024);
  std::vector<TensorView> tensors = {named("blk.0.attn_qkv.weight", 2, {4, 9, 1, 1}, bytes),
                                     named("blk.0.ffn_up.weight", 2, {4, 3, 1, 1}, bytes),
                                     named("blk.0.ffn_up_exps.weight", 3, {4, 3, 2, 1}, bytes),
                                     named("blk.attn_qkv", 1, {4, 1, 1, 1}, bytes)};
  cut_fused_tensors(small_shape(), tensors);
  EXPECT_EQ(tensors.size(), 4u);
  Hyperparameters absurd = small_shape();
  absurd.heads = absurd.head_dim = INT32_MAX;
  cut_fused_tensors(absurd, tensors);
  EXPECT_EQ(tensors.size(), 4u);
}

TEST(Rope, Llama3DividesSlowFrequenciesAlone) {
  ModelFile file;
  file.shape = {.architecture = "llama", .head_dim = 64, .rope_base = 500000.0f};
  const std::vector<float> plain = decoder_rope(file).value().frequencies;
  file.shape.rope_scaling = {.kind = RopeScaling::Kind::kLlama3, .factor = 32.0f, .original_context = 8192};
  const std::vector<float> scaled = decoder_rope(file).value().frequencies;
  EXPECT_EQ(scaled.front(), plain.front());
  EXPECT_FLOAT_EQ(scaled.back(), plain.back() / 32.0f);
  for (size_t i = 1; i < plain.size(); ++i) EXPECT_LT(scaled[i], scaled[i - 1]);
}

}  // namespace
}  // namespace feilun::model
