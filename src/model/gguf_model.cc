#include "model/gguf_model.h"

#include <algorithm>
#include <array>

#include "model/gguf.h"

namespace feilun::model {
namespace {

/// Reads "ARCHITECTURE.key".
class Settings {
 public:
  Settings(const Gguf& gguf, std::string_view architecture) : gguf_(gguf), prefix_(architecture) {}
  std::string key(std::string_view name) const { return fmt::format("{}.{}", prefix_, name); }

  Result<int> needed(std::string_view name) const {
    const auto value = TRY(gguf_.integer(key(name)));
    if (!value) return fail(ErrorCode::kCorrupt, "the GGUF file does not say {}", key(name));
    return *value;
  }
  Result<int> integer_or(std::string_view name, int otherwise) const {
    return TRY(gguf_.integer(key(name))).value_or(otherwise);
  }
  Result<float> number_or(std::string_view name, float otherwise) const {
    return TRY(gguf_.number(key(name))).value_or(otherwise);
  }

 private:
  const Gguf& gguf_;
  std::string prefix_;
};

Result<> refuse_unknown_features(const Gguf& gguf, const Settings& settings) {
  if (TRY(settings.integer_or("expert_count", 0)) > 0) {
    return fail(ErrorCode::kUnsupported,
                "the model is a mixture of experts, which this version does not run");
  }
  if (TRY(settings.integer_or("attention.sliding_window", 0)) > 0) {
    return fail(ErrorCode::kUnsupported,
                "the model needs sliding-window attention, which this version does not have");
  }
  const auto scaling = TRY(gguf.string(settings.key("rope.scaling.type"))).value_or("none");
  const float factor = TRY(settings.number_or("rope.scaling.factor", 1.0f));
  if (scaling != "none" && !(scaling == "linear" && (factor == 1.0f || factor == 0.0f))) {
    return fail(ErrorCode::kUnsupported,
                "the model needs RoPE scaling of type {}, which this version does not have", scaling);
  }
  const auto is_rope = [](const TensorView& tensor) { return tensor.name == "rope_freqs.weight"; };
  if (std::ranges::any_of(gguf.tensors(), is_rope)) {
    return fail(ErrorCode::kUnsupported,
                "the model scales RoPE by rope_freqs.weight, which this version does not have");
  }
  return {};
}

Result<Hyperparameters> read_shape(const Gguf& gguf) {
  Hyperparameters shape;
  shape.architecture = TRY(gguf.string("general.architecture")).value_or("");
  if (shape.architecture != "llama" && shape.architecture != "qwen3") {
    return fail(ErrorCode::kUnsupported,
                "the model's architecture is \"{}\"; this version runs llama and qwen3", shape.architecture);
  }
  const Settings settings(gguf, shape.architecture);
  TRY(refuse_unknown_features(gguf, settings));
  shape.layers = TRY(settings.needed("block_count"));
  shape.hidden = TRY(settings.needed("embedding_length"));
  shape.heads = TRY(settings.needed("attention.head_count"));
  shape.kv_heads = TRY(settings.integer_or("attention.head_count_kv", shape.heads));
  shape.ffn = TRY(settings.needed("feed_forward_length"));
  shape.context = TRY(settings.needed("context_length"));
  shape.head_dim =
      TRY(settings.integer_or("attention.key_length", shape.heads > 0 ? shape.hidden / shape.heads : 0));
  shape.norm_epsilon = TRY(settings.number_or("attention.layer_norm_rms_epsilon", 1e-5f));
  shape.rope_base = TRY(settings.number_or("rope.freq_base", 10000.0f));
  shape.qk_norm = shape.architecture == "qwen3";
  shape.rope_pairs = shape.architecture == "llama" ? RopePairs::kNeighbours : RopePairs::kHalves;
  if (TRY(settings.integer_or("attention.value_length", shape.head_dim)) != shape.head_dim) {
    return fail(ErrorCode::kUnsupported, "keys and values of different widths are not supported");
  }
  if (TRY(settings.integer_or("rope.dimension_count", shape.head_dim)) != shape.head_dim) {
    return fail(ErrorCode::kUnsupported, "RoPE over a part of a head is not supported");
  }
  shape.tied_embeddings = true;
  for (const TensorView& tensor : gguf.tensors()) {
    if (tensor.name == "output.weight") shape.tied_embeddings = false;
    if (tensor.name == "token_embd.weight" && tensor.dims[1] <= 1 << 24) {
      shape.vocabulary = static_cast<int>(tensor.dims[1]);
    }
  }
  if (shape.vocabulary == 0)
    return fail(ErrorCode::kCorrupt, "tensor token_embd.weight is missing or too large");
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
  parts.file.format = "GGUF v3";
  parts.file.shape = TRY(read_shape(gguf));
  parts.file.name = TRY(gguf.string("general.name")).value_or(parts.file.shape.architecture);
  parts.file.sampling = TRY(read_sampling(gguf));
  parts.tokenizer = TRY(read_gguf_tokenizer(gguf));
  parts.file.end_tokens = TRY(read_end_tokens(gguf, parts.tokenizer));
  parts.file.chat_template_source = TRY(gguf.string("tokenizer.chat_template")).value_or("");
  const auto tensors = gguf.tensors();
  parts.file.weights = TRY(MappedWeights::make({tensors.begin(), tensors.end()}, std::move(opened.files)));
  return parts;
}

}  // namespace feilun::model
