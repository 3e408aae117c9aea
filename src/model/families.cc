#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "model/family.h"

namespace feilun::model {
namespace {

/// The first of those that share GGUF's name stands for it.
std::array<const Family*, 8> families() {
  return {&llama_family(), &mistral_family(),  &qwen2_family(),  &qwen3_family(),
          &glm4_family(),  &qwen3moe_family(), &gemma2_family(), &phi3_family()};
}

std::string listed(std::string_view Family::* name) {
  std::string list;
  std::string_view last;
  for (const Family* family : families()) {
    if (family->*name == last) continue;
    last = family->*name;
    list += fmt::format("{}{}", list.empty() ? "" : ", ", last);
  }
  return list;
}

constexpr LayerTensorName kLayerNames[] = {
    {"input_layernorm.weight", "attn_norm.weight"},
    {"self_attn.q_proj.weight", "attn_q.weight"},
    {"self_attn.k_proj.weight", "attn_k.weight"},
    {"self_attn.v_proj.weight", "attn_v.weight"},
    {"self_attn.qkv_proj.weight", "attn_qkv.weight"},
    {"self_attn.q_proj.bias", "attn_q.bias"},
    {"self_attn.k_proj.bias", "attn_k.bias"},
    {"self_attn.v_proj.bias", "attn_v.bias"},
    {"self_attn.q_norm.weight", "attn_q_norm.weight"},
    {"self_attn.k_norm.weight", "attn_k_norm.weight"},
    {"self_attn.o_proj.weight", "attn_output.weight"},
    {"self_attn.o_proj.bias", "attn_output.bias"},
    {"post_attention_layernorm.weight", "ffn_norm.weight"},
    {"mlp.gate_proj.weight", "ffn_gate.weight"},
    {"mlp.up_proj.weight", "ffn_up.weight"},
    {"mlp.gate_up_proj.weight", "ffn_up.weight"},
    {"mlp.down_proj.weight", "ffn_down.weight"},
};

/// The number before the next point, which is removed with it; −1 when there is none.
int take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto digits = static_cast<size_t>(end - text.data());
  if (error != std::errc() || number < 0 || digits >= text.size() || text[digits] != '.') return -1;
  text.remove_prefix(digits + 1);
  return number;
}

/// "N.gate_proj.weight" → "ffn_gate.N.weight"; empty for another name.
std::string expert_tensor_name(std::string_view rest) {
  const int expert = take_number(rest);
  if (expert < 0) return "";
  for (const std::string_view part : {"gate", "up", "down"}) {
    if (rest == fmt::format("{}_proj.weight", part)) return fmt::format("ffn_{}.{}.weight", part, expert);
  }
  return "";
}

std::string layer_tensor_name(const Family& family, std::string_view name) {
  for (const auto names : {family.tensor_names, std::span<const LayerTensorName>(kLayerNames)}) {
    const auto found = std::ranges::find(names, name, &LayerTensorName::hugging_face);
    if (found != names.end()) return std::string(found->gguf);
  }
  constexpr std::string_view kExperts = "mlp.experts.";
  return name.starts_with(kExperts) ? expert_tensor_name(name.substr(kExperts.size())) : "";
}

}  // namespace

Result<const Family*> find_family(std::string_view name) {
  for (const Family* family : families()) {
    if (family->name == name) return family;
  }
  return fail(ErrorCode::kUnsupported,
              "the model's architecture is \"{}\"; this version runs {}, and bert for embeddings", name,
              listed(&Family::name));
}

Result<const Family*> find_hugging_face_family(std::string_view name) {
  for (const Family* family : families()) {
    if (family->hugging_face == name) return family;
  }
  return fail(ErrorCode::kUnsupported,
              "config.json names the architecture \"{}\"; take a model of one of those that this version "
              "runs: {}, and BertModel for embeddings",
              name, listed(&Family::hugging_face));
}

std::string gguf_tensor_name(const Family& family, std::string_view name) {
  if (name == "lm_head.weight") return "output.weight";
  constexpr std::string_view kModel = "model.";  // absent where the body was saved without its output matrix
  std::string_view rest = name.starts_with(kModel) ? name.substr(kModel.size()) : name;
  if (rest == "embed_tokens.weight") return "token_embd.weight";
  if (rest == "norm.weight") return "output_norm.weight";
  constexpr std::string_view kLayers = "layers.";
  if (!rest.starts_with(kLayers)) return std::string(name);
  rest.remove_prefix(kLayers.size());
  const int layer = take_number(rest);
  const std::string found = layer < 0 ? "" : layer_tensor_name(family, rest);
  return found.empty() ? std::string(name) : fmt::format("blk.{}.{}", layer, found);
}

Result<> read_attention_bias(const HuggingFaceObject& config, Hyperparameters& shape) {
  shape.qkv_bias = shape.output_bias = TRY(config.boolean("attention_bias")).value_or(false);
  return {};
}

Result<> read_windows(const HuggingFaceObject& config, int window, bool (*otherwise)(int layer),
                      Hyperparameters& shape) {
  set_windows(window, shape);
  const auto types = config.find("layer_types");
  simdjson::dom::array list;
  if (types && (types->get(list) != simdjson::SUCCESS || list.size() != static_cast<size_t>(shape.layers))) {
    return fail(ErrorCode::kCorrupt, "layer_types is not a list with a type for each layer");
  }
  for (size_t i = 0; i < shape.windows.size(); ++i) {
    bool windowed = otherwise(static_cast<int>(i));
    std::string_view type;
    if (types) {
      if (list.at(i).get(type) != simdjson::SUCCESS) type = "";
      windowed = type == "sliding_attention";
      if (!windowed && type != "full_attention") {
        return fail(ErrorCode::kUnsupported, "a layer of the type \"{}\" is not supported", type);
      }
    }
    if (!windowed) shape.windows[i] = 0;
  }
  return {};
}

void set_windows(int window, Hyperparameters& shape) {
  shape.windows.clear();
  // A negative number is left for the check of the shape; so is an absurd number of layers.
  const int layers = std::clamp(shape.layers, 0, 1024);
  if (window != 0) shape.windows.assign(static_cast<size_t>(layers), window);
}

}  // namespace feilun::model
