#include "model/hugging_face.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "model/hugging_face_json.h"
#include "model/hugging_face_tokenizer.h"
#include "model/safetensors.h"

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
using Files = std::vector<std::shared_ptr<const MappedFile>>;

Result<std::string> read_architecture(const HuggingFaceObject& config) {
  const auto list = config.find("architectures");
  simdjson::dom::array names;
  std::string_view name;
  if (list && list->get(names) == simdjson::SUCCESS && names.size() > 0) {
    if (names.at(0).get(name) != simdjson::SUCCESS) name = "";
  }
  if (name == "LlamaForCausalLM") return "llama";
  if (name == "Qwen3ForCausalLM") return "qwen3";
  return fail(
      ErrorCode::kUnsupported,
      "config.json names the architecture \"{}\"; this version runs LlamaForCausalLM and Qwen3ForCausalLM",
      name);
}

Result<> refuse_unknown_features(const HuggingFaceObject& config) {
  for (const std::string_view key : {"attention_bias", "mlp_bias"}) {
    if (TRY(config.boolean(key)).value_or(false)) {
      return fail(ErrorCode::kUnsupported, "config.json sets {}, which this version does not compute", key);
    }
  }
  if (TRY(config.boolean("use_sliding_window")).value_or(false)) {
    return fail(ErrorCode::kUnsupported,
                "the model needs sliding-window attention, which this version does not have");
  }
  if (config.find("quantization_config")) {
    return fail(ErrorCode::kUnsupported,
                "the weights are quantised in a way that this version does not read");
  }
  const auto activation = TRY(config.string("hidden_act")).value_or("silu");
  if (activation != "silu") {
    return fail(ErrorCode::kUnsupported, "the activation is {}, but this version has only silu", activation);
  }
  return {};
}

/// The RoPE base, which newer files keep with the scaling in one object.
Result<float> read_rope(const HuggingFaceObject& config) {
  float base = TRY(config.number("rope_theta")).value_or(10000.0f);
  for (const std::string_view key : {"rope_scaling", "rope_parameters"}) {
    const auto rope = TRY(config.object(key));
    if (!rope) continue;
    auto type = TRY(rope->string("rope_type"));
    if (!type) type = TRY(rope->string("type"));
    if (type.value_or("default") != "default") {
      return fail(ErrorCode::kUnsupported,
                  "the model needs RoPE scaling of type {}, which this version does not have", *type);
    }
    if (TRY(rope->number("partial_rotary_factor")).value_or(1.0f) != 1.0f) {
      return fail(ErrorCode::kUnsupported, "RoPE over a part of a head is not supported");
    }
    base = TRY(rope->number("rope_theta")).value_or(base);
  }
  return base;
}

Result<Hyperparameters> read_shape(const HuggingFaceObject& config) {
  Hyperparameters shape;
  shape.architecture = TRY(read_architecture(config));
  TRY(refuse_unknown_features(config));
  shape.layers = TRY(config.needed_integer("num_hidden_layers"));
  shape.hidden = TRY(config.needed_integer("hidden_size"));
  shape.heads = TRY(config.needed_integer("num_attention_heads"));
  shape.kv_heads = TRY(config.integer("num_key_value_heads")).value_or(shape.heads);
  const bool is_qwen3 = shape.architecture == "qwen3";
  const int usual = is_qwen3 ? 128 : shape.heads > 0 ? shape.hidden / shape.heads : 0;
  shape.head_dim = TRY(config.integer("head_dim")).value_or(usual);
  shape.ffn = TRY(config.needed_integer("intermediate_size"));
  shape.vocabulary = TRY(config.needed_integer("vocab_size"));
  shape.context = TRY(config.needed_integer("max_position_embeddings"));
  shape.norm_epsilon = TRY(config.number("rms_norm_eps")).value_or(1e-6f);
  shape.rope_base = TRY(read_rope(config));
  shape.rope_pairs = RopePairs::kHalves;
  shape.qk_norm = is_qwen3;
  shape.tied_embeddings = TRY(config.boolean("tie_word_embeddings")).value_or(false);
  return shape;
}

/// eos_token_id is one number or a list.
Result<> add_end_tokens(const HuggingFaceObject& object, std::vector<TokenId>& ends) {
  const auto found = object.find("eos_token_id");
  if (!found) return {};
  const auto add = [&](simdjson::dom::element element) {
    int64_t id = -1;
    if (element.get(id) != simdjson::SUCCESS || id < 0 || id > 1 << 24) return false;
    if (std::ranges::find(ends, id) == ends.end()) ends.push_back(static_cast<TokenId>(id));
    return true;
  };
  simdjson::dom::array list;
  const bool is_list = found->get(list) == simdjson::SUCCESS;
  const bool good = is_list ? std::ranges::all_of(list, add) : add(*found);
  if (!good) return fail(ErrorCode::kCorrupt, "eos_token_id is neither a token nor a list of tokens");
  return {};
}

Result<> read_generation(const HuggingFaceObject& generation, ModelFile& file) {
  file.sampling.temperature = TRY(generation.number("temperature"));
  file.sampling.top_p = TRY(generation.number("top_p"));
  file.sampling.top_k = TRY(generation.integer("top_k"));
  file.sampling.min_p = TRY(generation.number("min_p"));
  file.sampling.repetition_penalty = TRY(generation.number("repetition_penalty"));
  return add_end_tokens(generation, file.end_tokens);
}

struct Renamed {
  std::string_view from;
  std::string_view to;
};

constexpr std::array<Renamed, 11> kLayerNames = {{
    {"input_layernorm.weight", "attn_norm.weight"},
    {"self_attn.q_proj.weight", "attn_q.weight"},
    {"self_attn.k_proj.weight", "attn_k.weight"},
    {"self_attn.v_proj.weight", "attn_v.weight"},
    {"self_attn.q_norm.weight", "attn_q_norm.weight"},
    {"self_attn.k_norm.weight", "attn_k_norm.weight"},
    {"self_attn.o_proj.weight", "attn_output.weight"},
    {"post_attention_layernorm.weight", "ffn_norm.weight"},
    {"mlp.gate_proj.weight", "ffn_gate.weight"},
    {"mlp.up_proj.weight", "ffn_up.weight"},
    {"mlp.down_proj.weight", "ffn_down.weight"},
}};

/// GGUF's name of a tensor; a name that has none stays, and is refused when the tensors are checked.
std::string gguf_name(std::string_view name) {
  if (name == "model.embed_tokens.weight") return "token_embd.weight";
  if (name == "model.norm.weight") return "output_norm.weight";
  if (name == "lm_head.weight") return "output.weight";
  constexpr std::string_view kLayers = "model.layers.";
  if (!name.starts_with(kLayers)) return std::string(name);
  const std::string_view rest = name.substr(kLayers.size());
  int layer = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), layer);
  const auto digits = static_cast<size_t>(end - rest.data());
  if (error != std::errc() || digits >= rest.size() || rest[digits] != '.') return std::string(name);
  for (const Renamed& renamed : kLayerNames) {
    if (rest.substr(digits + 1) == renamed.from) return fmt::format("blk.{}.{}", layer, renamed.to);
  }
  return std::string(name);
}

/// Tied files keep the shared matrix under either name, or under both.
void settle_tied_embeddings(std::vector<TensorView>& tensors) {
  const auto named = [&](std::string_view name) {
    return std::ranges::find(tensors, name, &TensorView::name);
  };
  const auto output = named("output.weight");
  if (output == tensors.end()) return;
  if (named("token_embd.weight") == tensors.end()) {
    output->name = "token_embd.weight";
  } else {
    tensors.erase(output);
  }
}

Result<> read_tensor_file(const fs::path& path, std::vector<TensorView>& tensors, Files& files) {
  auto file = TRY(MappedFile::open(path));
  auto found = parse_safetensors(file->bytes());
  if (!found) {
    found.error().message = fmt::format("{}: {}", path.filename().string(), found.error().message);
    return std::unexpected(std::move(found).error());
  }
  files.push_back(std::move(file));
  for (TensorView& tensor : *found) {
    // Old files carry RoPE's frequencies, which follow from its base.
    if (!tensor.name.ends_with(".rotary_emb.inv_freq")) tensors.push_back(std::move(tensor));
  }
  return {};
}

/// The shards of model.safetensors.index.json, each named once.
Result<std::set<std::string>> read_shard_names(const fs::path& index) {
  const JsonDocument document = TRY(read_json_file(index));
  simdjson::dom::object map;
  if (document.root()["weight_map"].get(map) != simdjson::SUCCESS) {
    return fail(ErrorCode::kCorrupt, "{} has no weight_map", index.filename().string());
  }
  std::set<std::string> names;
  for (const auto [tensor, entry] : map) {
    std::string_view name;
    const bool plain = entry.get(name) == simdjson::SUCCESS && name.ends_with(".safetensors") &&
                       name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
    if (!plain)
      return fail(ErrorCode::kCorrupt, "the weight map gives no file of this directory for {}", tensor);
    names.emplace(name);
  }
  return names;
}

Result<std::shared_ptr<const WeightSource>> read_weights(const fs::path& directory, bool tied) {
  std::vector<TensorView> tensors;
  Files files;
  const fs::path single = directory / "model.safetensors";
  const fs::path index = directory / "model.safetensors.index.json";
  if (fs::exists(single)) {
    TRY(read_tensor_file(single, tensors, files));
  } else if (fs::exists(index)) {
    for (const std::string& name : TRY(read_shard_names(index))) {
      TRY(read_tensor_file(directory / name, tensors, files));
    }
  } else {
    return fail(ErrorCode::kNotFound, "there is no model.safetensors and no model.safetensors.index.json");
  }
  for (TensorView& tensor : tensors) tensor.name = gguf_name(tensor.name);
  if (tied) settle_tied_embeddings(tensors);
  return MappedWeights::make(std::move(tensors), std::move(files));
}

}  // namespace

Result<ModelParts> read_hugging_face_model(const fs::path& directory) {
  ModelParts parts;
  ModelFile& file = parts.file;
  file.format = "Hugging Face";
  file.name = fs::absolute(directory / "").parent_path().filename().string();
  const JsonDocument config_document = TRY(read_json_file(directory / "config.json"));
  const HuggingFaceObject config(config_document.root());
  file.shape = TRY(read_shape(config));
  const fs::path generation = directory / "generation_config.json";
  if (fs::exists(generation)) {
    const JsonDocument document = TRY(read_json_file(generation));
    TRY(read_generation(HuggingFaceObject(document.root()), file));
  }
  if (file.end_tokens.empty()) TRY(add_end_tokens(config, file.end_tokens));
  auto tokenizer = TRY(read_hugging_face_tokenizer(directory));
  parts.tokenizer = std::move(tokenizer.spec);
  file.chat_template_source = std::move(tokenizer.chat_template);
  const TokenId eos = parts.tokenizer.eos;
  if (eos >= 0 && std::ranges::find(file.end_tokens, eos) == file.end_tokens.end())
    file.end_tokens.push_back(eos);
  file.weights = TRY(read_weights(directory, file.shape.tied_embeddings));
  return parts;
}

}  // namespace feilun::model
