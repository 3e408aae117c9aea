#include "model/family.h"

// Gemma 2: GELU, embeddings times √hidden, norms before and after, caps on scores and logits, and a window in
// every other layer, the first included. Hugging Face's files hold the norms' weights less one, GGUF's do
// not.

namespace feilun::model {
namespace {

constexpr float kScoreCap = 50.0f;
constexpr float kLogitCap = 30.0f;
constexpr int kWindow = 4096;
/// The 27B model divides scores by the root of hidden / heads; its GGUF files do not say so.
constexpr int kLayersOf27B = 46;

bool has_window(int layer) {
  return layer % 2 == 0;
}

/// A number that is null in config.json means that there is none.
Result<float> number_or_none(const HuggingFaceObject& config, std::string_view key, float usual) {
  return TRY(config.number(key)).value_or(config.has(key) ? 0.0f : usual);
}

Result<> read_config(const HuggingFaceObject& config, Hyperparameters& shape) {
  TRY(read_attention_bias(config, shape));
  shape.score_divisor = TRY(config.number("query_pre_attn_scalar")).value_or(256.0f);
  shape.score_cap = TRY(number_or_none(config, "attn_logit_softcapping", kScoreCap));
  shape.logit_cap = TRY(number_or_none(config, "final_logit_softcapping", kLogitCap));
  if (TRY(config.boolean("use_bidirectional_attention")).value_or(false)) {
    return fail(ErrorCode::kUnsupported, "attention to later tokens is not supported");
  }
  const int usual = config.has("sliding_window") ? 0 : kWindow;
  return read_windows(config, TRY(config.integer("sliding_window")).value_or(usual), has_window, shape);
}

Result<> read_gguf(const GgufSettings& settings, Hyperparameters& shape) {
  shape.score_cap = TRY(settings.number_or("attn_logit_softcapping", kScoreCap));
  shape.logit_cap = TRY(settings.number_or("final_logit_softcapping", kLogitCap));
  if (shape.layers == kLayersOf27B && shape.heads > 0) {
    shape.score_divisor = static_cast<float>(shape.hidden) / static_cast<float>(shape.heads);
  }
  set_windows(TRY(settings.integer_or("attention.sliding_window", kWindow)), shape);
  for (size_t i = 0; i < shape.windows.size(); ++i) {
    if (!has_window(static_cast<int>(i))) shape.windows[i] = 0;
  }
  return {};
}

constexpr LayerTensorName kNames[] = {
    {"post_attention_layernorm.weight", "post_attention_norm.weight"},
    {"pre_feedforward_layernorm.weight", "ffn_norm.weight"},
    {"post_feedforward_layernorm.weight", "post_ffw_norm.weight"},
};

constexpr Family kGemma2 = {
    .name = "gemma2",
    .hugging_face = "Gemma2ForCausalLM",
    .post_norms = true,
    .norms_less_one = true,
    .gelu = true,
    .scales_embeddings = true,
    .ties_embeddings = true,
    .activation_key = "hidden_activation",
    .head_dim = 256,
    .tensor_names = kNames,
    .read_config = read_config,
    .read_gguf = read_gguf,
};

}  // namespace

const Family& gemma2_family() {
  return kGemma2;
}

}  // namespace feilun::model
