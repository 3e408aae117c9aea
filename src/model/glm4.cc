#include "model/family.h"

// GLM-4 (0414): what attention and feed-forward add is normalised once more; RoPE turns the neighbours of the
// first half of each head; biases on queries, keys and values.

namespace feilun::model {
namespace {

Result<> read_config(const HuggingFaceObject& config, Hyperparameters& shape) {
  shape.qkv_bias = TRY(config.boolean("attention_bias")).value_or(true);
  return {};
}

constexpr LayerTensorName kNames[] = {
    {"post_self_attn_layernorm.weight", "post_attention_norm.weight"},
    {"post_mlp_layernorm.weight", "post_ffw_norm.weight"},
};

constexpr Family kGlm4 = {
    .name = "glm4",
    .hugging_face = "Glm4ForCausalLM",
    .gguf_pairs = RopePairs::kNeighbours,
    .hugging_face_pairs = RopePairs::kNeighbours,
    .post_norms = true,
    .norm_epsilon = 1.5625e-7f,
    .head_dim = 128,
    .rotary_part = 0.5f,
    .tensor_names = kNames,
    .read_config = read_config,
};

}  // namespace

const Family& glm4_family() {
  return kGlm4;
}

}  // namespace feilun::model
