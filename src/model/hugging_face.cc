#include "model/hugging_face.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "compute/quantise.h"
#include "model/bert_files.h"
#include "model/family.h"
#include "model/fused_tensors.h"
#include "model/hugging_face_rope.h"
#include "model/hugging_face_tokenizer.h"
#include "model/pooling_files.h"
#include "model/safetensors.h"

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
using Files = std::vector<std::shared_ptr<const MappedFile>>;

/// True only where there is surely no such file: one that cannot be looked at is left to whoever reads it.
bool is_absent(const fs::path& path) {
  std::error_code error;
  return !fs::exists(path, error) && !error;
}

/// What a directory without a config.json is instead.
Error not_a_model(const fs::path& directory) {
  if (!is_absent(directory / "adapter_config.json")) {
    return {
        ErrorCode::kUnsupported,
        "the directory holds an adapter; merge it into its model and save that (PEFT's merge_and_unload)"};
  }
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".gguf") {
      return {ErrorCode::kInvalidArgument,
              "the directory has no config.json, but GGUF files: name the GGUF file itself"};
    }
  }
  return {ErrorCode::kNotFound,
          "the directory has no config.json: it is not a Hugging Face directory of a model"};
}

/// nullptr for a BERT, which is no decoder.
Result<const Family*> read_family(const HuggingFaceObject& config) {
  const auto list = config.find("architectures");
  simdjson::dom::array names;
  std::string_view name;
  if (list && list->get(names) == simdjson::SUCCESS && names.size() > 0) {
    if (names.at(0).get(name) != simdjson::SUCCESS) name = "";
  }
  if (name.empty()) {
    return fail(ErrorCode::kUnsupported,
                "config.json names no architecture; add \"architectures\": [\"LlamaForCausalLM\"], or "
                "whichever it is");
  }
  if (is_bert_name(name)) return nullptr;
  return find_hugging_face_family(name);
}

Result<> refuse_unknown_features(const Family& family, const HuggingFaceObject& config) {
  // The second is MLX's name.
  for (const std::string_view key : {"quantization_config", "quantization"}) {
    const auto quantised = TRY(config.object(key));
    if (!quantised) continue;
    return fail(
        ErrorCode::kUnsupported,
        "the weights are quantised ({}), which this version does not read in a Hugging Face directory: "
        "take the maker's release that is not, or a GGUF of the model",
        TRY(quantised->string("quant_method")).value_or("by an unnamed method"));
  }
  if (!TRY(config.boolean("is_causal")).value_or(true)) {
    return fail(ErrorCode::kUnsupported,
                "is_causal is false: each token sees those after it, which decoders of this version do not");
  }
  const std::string_view computed = family.gelu ? "gelu_pytorch_tanh" : "silu";
  const auto activation = TRY(config.string(family.activation_key)).value_or(computed);
  if (activation != computed) {
    return fail(ErrorCode::kUnsupported, "the activation is {}, but {} is computed with {} here", activation,
                family.name, computed);
  }
  return {};
}

/// The numbers of the decoder, all that config.json says of them.
Result<Hyperparameters> read_shape(const Family& family, const HuggingFaceObject& config) {
  Hyperparameters shape;
  shape.architecture = family.name;
  TRY(refuse_unknown_features(family, config));
  shape.layers = TRY(config.needed_integer("num_hidden_layers"));
  shape.hidden = TRY(config.needed_integer("hidden_size"));
  shape.heads = TRY(config.needed_integer("num_attention_heads"));
  shape.kv_heads = TRY(config.integer("num_key_value_heads")).value_or(shape.heads);
  const int equal_parts = shape.heads > 0 ? shape.hidden / shape.heads : 0;
  shape.head_dim =
      TRY(config.integer("head_dim")).value_or(family.head_dim > 0 ? family.head_dim : equal_parts);
  shape.ffn = TRY(config.needed_integer("intermediate_size"));
  shape.vocabulary = TRY(config.needed_integer("vocab_size"));
  shape.context = TRY(config.needed_integer("max_position_embeddings"));
  shape.norm_epsilon = TRY(config.number("rms_norm_eps")).value_or(family.norm_epsilon);
  shape.rope_pairs = family.hugging_face_pairs;
  shape.qk_norm = family.qk_norm;
  shape.post_norms = family.post_norms;
  shape.tied_embeddings = TRY(config.boolean("tie_word_embeddings")).value_or(family.ties_embeddings);
  TRY(read_hugging_face_rope(config, family.rotary_part, shape));
  TRY(family.read_config(config, shape));
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

/// Puts norms whose file holds their weights less one into memory as they are.
std::vector<std::unique_ptr<std::byte[]>> add_one_to_norms(std::vector<TensorView>& tensors) {
  std::vector<std::unique_ptr<std::byte[]>> copies;
  for (TensorView& tensor : tensors) {
    if (tensor.rank != 1 || !tensor.name.ends_with("norm.weight")) continue;
    std::vector<float> weights(static_cast<size_t>(tensor.element_count()));
    compute::dequantise(tensor.type, tensor.data, weights);
    for (float& weight : weights) weight += 1.0f;
    const size_t bytes = weights.size() * sizeof(float);
    std::memcpy(copies.emplace_back(std::make_unique<std::byte[]>(bytes)).get(), weights.data(), bytes);
    tensor.type = compute::DType::kF32;
    tensor.data = {copies.back().get(), bytes};
  }
  return copies;
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

Result<std::shared_ptr<const WeightSource>> read_weights(const fs::path& directory, const Family* family,
                                                         const Hyperparameters& shape) {
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
  } else if (fs::exists(directory / "pytorch_model.bin") ||
             fs::exists(directory / "pytorch_model.bin.index.json")) {
    return fail(
        ErrorCode::kUnsupported,
        "the weights are pickled (pytorch_model.bin), which this version does not read: load the model "
        "with transformers and save it again (save_pretrained), or take a GGUF of it");
  } else {
    return fail(ErrorCode::kNotFound, "there is no model.safetensors and no model.safetensors.index.json");
  }
  for (TensorView& tensor : tensors) {
    tensor.name = family == nullptr ? bert_tensor_name(tensor.name) : gguf_tensor_name(*family, tensor.name);
  }
  std::erase_if(tensors, [](const TensorView& tensor) { return tensor.name.empty(); });
  if (shape.tied_embeddings) settle_tied_embeddings(tensors);
  cut_fused_tensors(shape, tensors);
  if (family == nullptr || !family->norms_less_one)
    return MappedWeights::make(std::move(tensors), std::move(files));
  auto copies = add_one_to_norms(tensors);
  return MappedWeights::make(std::move(tensors), std::move(files), std::move(copies));
}

}  // namespace

Result<ModelParts> read_hugging_face_model(const fs::path& directory) {
  ModelParts parts;
  ModelFile& file = parts.file;
  file.format = "Hugging Face";
  file.name = fs::absolute(directory / "").parent_path().filename().string();
  if (is_absent(directory / "config.json")) return std::unexpected(not_a_model(directory));
  const JsonDocument config_document = TRY(read_json_file(directory / "config.json"));
  const HuggingFaceObject config(config_document.root());
  const Family* family = TRY(read_family(config));
  file.shape = family == nullptr ? TRY(read_bert_config(config)) : TRY(read_shape(*family, config));
  const fs::path generation = directory / "generation_config.json";
  if (!is_absent(generation)) {
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
  file.weights = TRY(read_weights(directory, family, file.shape));
  TRY(read_directory_pooling(directory, parts.tokenizer, file));
  return parts;
}

}  // namespace feilun::model
