#include "model/qwen_windows.h"

// Qwen3's mixtures of experts: Qwen3 with a router and many narrow feed-forward blocks in every layer.

namespace feilun::model {
namespace {

Result<> refuse_dense_layers(const HuggingFaceObject& config) {
  simdjson::dom::array dense;
  const auto list = config.find("mlp_only_layers");
  const bool some = list && (list->get(dense) != simdjson::SUCCESS || dense.size() > 0);
  if (some || TRY(config.integer("decoder_sparse_step")).value_or(1) != 1) {
    return fail(ErrorCode::kUnsupported,
                "some layers have experts and some have none, which this version does not run");
  }
  return {};
}

Result<> read_config(const HuggingFaceObject& config, Hyperparameters& shape) {
  TRY(refuse_dense_layers(config));
  TRY(read_attention_bias(config, shape));
  // Newer files name the number as other families do.
  const auto count = TRY(config.integer(config.has("num_experts") ? "num_experts" : "num_local_experts"));
  shape.experts = {.count = count.value_or(128),
                   .used = TRY(config.integer("num_experts_per_tok")).value_or(8),
                   .ffn = TRY(config.needed_integer("moe_intermediate_size")),
                   .normalised = TRY(config.boolean("norm_topk_prob")).value_or(false)};
  if (TRY(config.boolean("use_sliding_window")).value_or(false)) {
    set_windows(TRY(config.integer("sliding_window")).value_or(0), shape);
  }
  return {};
}

Result<> read_gguf(const GgufSettings& settings, Hyperparameters& shape) {
  shape.experts = {.count = TRY(settings.needed("expert_count")),
                   .used = TRY(settings.needed("expert_used_count")),
                   .ffn = TRY(settings.needed("expert_feed_forward_length")),
                   .normalised = TRY(settings.boolean_or("expert_weights_norm", true))};
  return refuse_gguf_window(settings, shape);
}

constexpr LayerTensorName kNames[] = {
    {"mlp.gate.weight", "ffn_gate_inp.weight"},
    {"mlp.experts.gate_up_proj", "ffn_gate_up_exps.weight"},
    {"mlp.experts.down_proj", "ffn_down_exps.weight"},
};

constexpr Family kQwen3Moe = {
    .name = "qwen3moe",
    .hugging_face = "Qwen3MoeForCausalLM",
    .qk_norm = true,
    .tensor_names = kNames,
    .read_config = read_config,
    .read_gguf = read_gguf,
};

}  // namespace

const Family& qwen3moe_family() {
  return kQwen3Moe;
}

}  // namespace feilun::model
