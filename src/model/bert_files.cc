#include "model/bert_files.h"

#include <algorithm>
#include <charconv>

namespace feilun::model {
namespace {

struct Renamed {
  std::string_view from;
  std::string_view to;
};

constexpr Renamed kNames[] = {
    {"embeddings.word_embeddings", "token_embd"},
    {"embeddings.position_embeddings", "position_embd"},
    {"embeddings.token_type_embeddings", "token_types"},
    {"embeddings.LayerNorm", "token_embd_norm"},
};

constexpr Renamed kLayerNames[] = {
    {"attention.self.query", "attn_q"},
    {"attention.self.key", "attn_k"},
    {"attention.self.value", "attn_v"},
    {"attention.output.dense", "attn_output"},
    {"attention.output.LayerNorm", "attn_output_norm"},
    {"intermediate.dense", "ffn_up"},
    {"output.dense", "ffn_down"},
    {"output.LayerNorm", "layer_output_norm"},
};

/// Old files call a norm's weight and bias gamma and beta.
std::string_view kind_of(std::string_view suffix) {
  if (suffix == "weight" || suffix == "gamma") return "weight";
  return suffix == "bias" || suffix == "beta" ? "bias" : "";
}

template <size_t kCount>
std::string renamed(const Renamed (&names)[kCount], std::string_view name) {
  const size_t point = name.rfind('.');
  if (point == name.npos) return "";
  const auto found = std::ranges::find(names, name.substr(0, point), &Renamed::from);
  const std::string_view kind = kind_of(name.substr(point + 1));
  return found == std::end(names) || kind.empty() ? "" : fmt::format("{}.{}", found->to, kind);
}

std::string layer_name(std::string_view rest) {
  int layer = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
  const auto digits = static_cast<size_t>(end - rest.data());
  if (error != std::errc() || digits >= rest.size() || rest[digits] != '.') return "";
  const std::string name = renamed(kLayerNames, rest.substr(digits + 1));
  return name.empty() ? "" : fmt::format("blk.{}.{}", layer, name);
}

Result<> set_heads(Hyperparameters& shape) {
  if (shape.heads < 1 || shape.hidden % shape.heads != 0) {
    return fail(ErrorCode::kCorrupt, "{} attention heads do not divide a width of {}", shape.heads,
                shape.hidden);
  }
  shape.kv_heads = shape.heads;
  shape.head_dim = shape.hidden / shape.heads;
  return {};
}

}  // namespace

bool is_bert_name(std::string_view name) {
  return name == "BertModel" || name == "BertForMaskedLM" || name == "BertForPreTraining";
}

Result<Hyperparameters> read_bert_config(const HuggingFaceObject& config) {
  const auto activation = TRY(config.string("hidden_act")).value_or("gelu");
  if (activation != "gelu") {
    return fail(ErrorCode::kUnsupported, "the activation is {}, but a BERT is computed with gelu here",
                activation);
  }
  const auto positions = TRY(config.string("position_embedding_type")).value_or("absolute");
  if (positions != "absolute" || TRY(config.boolean("is_decoder")).value_or(false)) {
    return fail(ErrorCode::kUnsupported,
                "a BERT is computed here with absolute positions and attention to both sides");
  }
  Hyperparameters shape;
  shape.architecture = "bert";
  shape.layers = TRY(config.needed_integer("num_hidden_layers"));
  shape.hidden = TRY(config.needed_integer("hidden_size"));
  shape.heads = TRY(config.needed_integer("num_attention_heads"));
  TRY(set_heads(shape));
  shape.ffn = TRY(config.needed_integer("intermediate_size"));
  shape.vocabulary = TRY(config.needed_integer("vocab_size"));
  shape.positions = TRY(config.needed_integer("max_position_embeddings"));
  shape.context = shape.positions;
  shape.token_types = TRY(config.integer("type_vocab_size")).value_or(2);
  shape.norm_epsilon = TRY(config.number("layer_norm_eps")).value_or(1e-12f);
  return shape;
}

Result<Hyperparameters> read_bert_gguf(const Gguf& gguf) {
  const GgufSettings settings(gguf, "bert");
  if (TRY(settings.boolean_or("attention.causal", false))) {
    return fail(ErrorCode::kUnsupported, "a BERT is computed here with attention to both sides");
  }
  Hyperparameters shape;
  shape.architecture = "bert";
  shape.layers = TRY(settings.needed("block_count"));
  shape.hidden = TRY(settings.needed("embedding_length"));
  shape.heads = TRY(settings.needed("attention.head_count"));
  TRY(set_heads(shape));
  shape.ffn = TRY(settings.needed("feed_forward_length"));
  shape.context = TRY(settings.needed("context_length"));
  shape.norm_epsilon = TRY(settings.number_or("attention.layer_norm_epsilon", 1e-12f));
  for (const TensorView& tensor : gguf.tensors()) {
    const auto rows = static_cast<int>(std::clamp<int64_t>(tensor.dims[1], 0, INT32_MAX));
    if (tensor.name == "token_embd.weight") shape.vocabulary = rows;
    if (tensor.name == "position_embd.weight") shape.positions = rows;
    if (tensor.name == "token_types.weight") shape.token_types = rows;
  }
  if (shape.context > shape.positions) {
    return fail(ErrorCode::kCorrupt, "the window is {} tokens, but there are positions for {}", shape.context,
                shape.positions);
  }
  return shape;
}

std::string bert_tensor_name(std::string_view name) {
  std::string_view inner = name;
  constexpr std::string_view kModel = "bert.";
  if (inner.starts_with(kModel)) inner.remove_prefix(kModel.size());
  if (inner.starts_with("pooler.") || inner.starts_with("cls.")) return "";
  constexpr std::string_view kLayers = "encoder.layer.";
  const bool in_layer = inner.starts_with(kLayers);
  const std::string found = in_layer ? layer_name(inner.substr(kLayers.size())) : renamed(kNames, inner);
  return found.empty() ? std::string(name) : found;
}

}  // namespace feilun::model
