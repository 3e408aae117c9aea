#include "model/gguf_model.h"

#include <algorithm>
#include <array>

#include "model/bert_files.h"
#include "model/family.h"
#include "model/fused_tensors.h"
#include "model/pooling_files.h"

namespace feilun::model {
namespace {

bool holds(const Gguf& gguf, std::string_view name) {
  return std::ranges::find(gguf.tensors(), name, &TensorView::name) != gguf.tensors().end();
}

Result<> refuse_unknown_features(const Gguf& gguf, const GgufSettings& settings,
                                 const Hyperparameters& shape) {
  if (TRY(settings.integer_or("expert_count", 0)) > 0 && shape.experts.count == 0) {
    return fail(ErrorCode::kUnsupported,
                "the model is a mixture of experts, which this version does not run for {}",
                shape.architecture);
  }
  if (TRY(settings.integer_or("expert_shared_count", 0)) > 0) {
    return fail(ErrorCode::kUnsupported, "the model has shared experts, which this version does not run");
  }
  if (holds(gguf, "rope_factors_long.weight") || holds(gguf, "rope_factors_short.weight")) {
    return fail(ErrorCode::kUnsupported,
                "the model needs RoPE scaling of type longrope, which this version does not have");
  }
  return {};
}

Result<RopeScaling> read_rope_scaling(const GgufSettings& settings, int context) {
  RopeScaling scaling;
  const auto kind = TRY(settings.string_or("rope.scaling.type", "linear"));
  scaling.factor = TRY(settings.number_or("rope.scaling.factor", 0.0f));
  if (scaling.factor == 0.0f) scaling.factor = TRY(settings.number_or("rope.scale_linear", 0.0f));
  if (kind == "none" || (kind == "linear" && scaling.factor == 0.0f)) return RopeScaling();
  if (kind != "linear" && kind != "yarn") {
    return fail(ErrorCode::kUnsupported,
                "the model needs RoPE scaling of type {}, which this version does not have", kind);
  }
  if (kind == "linear") {
    scaling.kind = RopeScaling::Kind::kLinear;
    return scaling;
  }
  scaling.kind = RopeScaling::Kind::kYarn;
  scaling.original_context = TRY(settings.integer_or("rope.scaling.original_context_length", context));
  scaling.fast_turns = TRY(settings.number_or("rope.scaling.yarn_beta_fast", scaling.fast_turns));
  scaling.slow_turns = TRY(settings.number_or("rope.scaling.yarn_beta_slow", scaling.slow_turns));
  for (const std::string_view key :
       {"rope.scaling.attn_factor", "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_ext_factor"}) {
    if (TRY(settings.number_or(key, 1.0f)) == 1.0f) continue;
    return fail(ErrorCode::kUnsupported, "{} is not 1, which this version does not compute with",
                settings.key(key));
  }
  return scaling;
}

Result<> read_attention(const Gguf& gguf, const GgufSettings& settings, Hyperparameters& shape) {
  shape.heads = TRY(settings.needed("attention.head_count"));
  shape.kv_heads = TRY(settings.integer_or("attention.head_count_kv", shape.heads));
  shape.head_dim =
      TRY(settings.integer_or("attention.key_length", shape.heads > 0 ? shape.hidden / shape.heads : 0));
  if (TRY(settings.integer_or("attention.value_length", shape.head_dim)) != shape.head_dim) {
    return fail(ErrorCode::kUnsupported, "keys and values of different widths are not supported");
  }
  shape.rope_base = TRY(settings.number_or("rope.freq_base", 10000.0f));
  const int turned = TRY(settings.integer_or("rope.dimension_count", shape.head_dim));
  if (turned != shape.head_dim) shape.rope_dimension = turned;
  shape.rope_scaling = TRY(read_rope_scaling(settings, shape.context));
  shape.rope_divisors = holds(gguf, "rope_freqs.weight");
  shape.qkv_bias = holds(gguf, "blk.0.attn_q.bias") || holds(gguf, "blk.0.attn_qkv.bias");
  shape.output_bias = holds(gguf, "blk.0.attn_output.bias");
  const float scale = TRY(settings.number_or("attention.scale", 0.0f));
  if (scale > 0) shape.score_divisor = 1.0f / (scale * scale);
  return {};
}

Result<> read_vocabulary(const Gguf& gguf, Hyperparameters& shape) {
  shape.tied_embeddings = !holds(gguf, "output.weight");
  const auto table = std::ranges::find(gguf.tensors(), "token_embd.weight", &TensorView::name);
  if (table == gguf.tensors().end() || table->dims[1] > 1 << 24) {
    return fail(ErrorCode::kCorrupt, "tensor token_embd.weight is missing or too large");
  }
  shape.vocabulary = static_cast<int>(table->dims[1]);
  return {};
}

Result<Hyperparameters> read_shape(const Gguf& gguf) {
  Hyperparameters shape;
  shape.architecture = TRY(gguf.string("general.architecture")).value_or("");
  if (shape.architecture == "bert") return read_bert_gguf(gguf);
  const Family& family = *TRY(find_family(shape.architecture));
  const GgufSettings settings(gguf, shape.architecture);
  shape.layers = TRY(settings.needed("block_count"));
  shape.hidden = TRY(settings.needed("embedding_length"));
  shape.ffn = TRY(settings.needed("feed_forward_length"));
  shape.context = TRY(settings.needed("context_length"));
  shape.norm_epsilon = TRY(settings.number_or("attention.layer_norm_rms_epsilon", 1e-5f));
  shape.rope_pairs = family.gguf_pairs;
  shape.qk_norm = family.qk_norm;
  shape.post_norms = family.post_norms;
  TRY(read_attention(gguf, settings, shape));
  TRY(read_vocabulary(gguf, shape));
  if (family.read_gguf != nullptr) TRY(family.read_gguf(settings, shape));
  TRY(refuse_unknown_features(gguf, settings, shape));
  return shape;
}

Result<SamplingDefaults> read_sampling(const Gguf& gguf) {
  SamplingDefaults sampling;
  sampling.temperature = TRY(gguf.number("general.sampling.temp"));
  sampling.top_p = TRY(gguf.number("general.sampling.top_p"));
  sampling.top_k = TRY(gguf.integer("general.sampling.top_k"));
  sampling.min_p = TRY(gguf.number("general.sampling.min_p"));
  sampling.repetition_penalty = TRY(gguf.number("general.sampling.penalty_repeat"));
  return sampling;
}

/// Control tokens that end an answer in the families that have them, whatever the file lists.
constexpr std::array<std::string_view, 8> kEndTexts = {
    "<|im_end|>",      "<|endoftext|>", "<|eot_id|>", "<|eom_id|>",
    "<|end_of_text|>", "<end_of_turn>", "<|end|>",    "</s>"};

Result<std::vector<TokenId>> read_end_tokens(const Gguf& gguf, const TokenizerSpec& spec) {
  std::vector<TokenId> ends;
  const auto add = [&](TokenId id) {
    if (std::ranges::find(ends, id) == ends.end()) ends.push_back(id);
  };
  if (spec.eos >= 0) add(spec.eos);
  for (const std::string_view key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (const auto id = TRY(gguf.integer(key))) add(*id);
  }
  for (const int32_t id : TRY(gguf.integers("feilun.end_token_ids")).value_or(std::vector<int32_t>()))
    add(id);
  for (size_t i = 0; i < std::min(spec.kinds.size(), spec.tokens.size()); ++i) {
    const bool ends_answer = spec.kinds[i] == TokenKind::kControl &&
                             std::ranges::find(kEndTexts, spec.tokens[i]) != kEndTexts.end();
    if (ends_answer) add(static_cast<TokenId>(i));
  }
  return ends;
}

}  // namespace

Result<ModelParts> read_gguf_model(GgufFiles opened) {
  const Gguf& gguf = opened.gguf;
  ModelParts parts;
  parts.file.format = fmt::format("GGUF v{}", gguf.version());
  parts.file.shape = TRY(read_shape(gguf));
  TRY(read_gguf_pooling(gguf, parts.file));
  parts.file.name = TRY(gguf.string("general.name")).value_or(parts.file.shape.architecture);
  parts.file.sampling = TRY(read_sampling(gguf));
  parts.tokenizer = TRY(read_gguf_tokenizer(gguf));
  parts.file.end_tokens = TRY(read_end_tokens(gguf, parts.tokenizer));
  parts.file.chat_template_source = TRY(gguf.string("tokenizer.chat_template")).value_or("");
  std::vector<TensorView> tensors(gguf.tensors().begin(), gguf.tensors().end());
  cut_fused_tensors(parts.file.shape, tensors);
  parts.file.weights = TRY(MappedWeights::make(std::move(tensors), std::move(opened.files)));
  return parts;
}

}  // namespace feilun::model
