#include "model/inspect.h"

#include <functional>

#include "model/decoder_weights.h"
#include "model/encoder.h"
#include "model/gguf_files.h"
#include "model/gguf_model.h"
#include "model/model_file_parts.h"

namespace feilun::model {
namespace {

void count_tensors(std::span<const TensorView> tensors, Inspection& inspection) {
  for (const TensorView& tensor : tensors) {
    inspection.parameters += tensor.element_count();
    inspection.weight_bytes += static_cast<int64_t>(tensor.data.size());
    ++inspection.tensors_by_type[std::string(compute::dtype_name(tensor.type))];
  }
}

std::string describe_tokenizer(const TokenizerSpec& spec) {
  const auto named = [&]() -> std::string {
    switch (spec.family) {
      case TokenizerSpec::Family::kByteLevel:
        return spec.pre.empty() ? "byte-level BPE" : fmt::format("byte-level BPE ({})", spec.pre);
      case TokenizerSpec::Family::kSentencePiece:
        return fmt::format("SentencePiece BPE by {}", spec.merges.empty() ? "score" : "rank");
      case TokenizerSpec::Family::kUnigram:
        return "SentencePiece unigram";
      case TokenizerSpec::Family::kWordPiece:
        return "WordPiece";
    }
    return {};
  };
  return fmt::format("{}, {} tokens", named(), spec.tokens.size());
}

int64_t loaded_bytes(const ModelFile& model) {
  return model.embeds() ? encoder_bytes(model, {}) : decoder_weight_bytes(model, std::nullopt);
}

/// A server with this model alone and an empty cache. Measured: what a process takes without a model, and
/// what the tables of a tokenizer take a token.
int64_t resident_bytes(const ModelFile& model) {
  constexpr int64_t kProcess = int64_t{18} << 20;
  constexpr int64_t kTokenizerToken = 93;
  return loaded_bytes(model) + kProcess + kTokenizerToken * model.tokenizer->vocabulary_size();
}

void inspect_parts(ModelParts parts, Inspection& inspection) {
  const ModelFile& file = parts.file;
  const Hyperparameters& shape = file.shape;
  inspection.name = file.name;
  inspection.format = file.format;
  inspection.architecture = shape.architecture;
  inspection.shape = shape;
  inspection.tokenizer = describe_tokenizer(parts.tokenizer);
  inspection.has_chat_template = !file.chat_template_source.empty();
  count_tensors(file.weights->tensors(), inspection);
  inspection.pooling = file.pooling;
  if (!file.embeds() && check_shape(shape)) {
    inspection.kv_bytes_per_token = int64_t{2} * shape.layers * shape.kv_heads * shape.head_dim * 2;
  }
  if (inspection.has_chat_template) {
    const auto compiled = ChatTemplate::compile(file.chat_template_source, "", "");
    if (!compiled) inspection.chat_template_error = compiled.error().message;
  }
  if (const auto model = finish_model(std::move(parts)); !model) {
    inspection.refusal = model.error().message;
  } else {
    inspection.loaded_bytes = loaded_bytes(*model);
    inspection.resident_bytes = resident_bytes(*model);
  }
}

/// What a GGUF says of itself though this version does not run it.
Result<> inspect_gguf(const std::filesystem::path& path, Inspection& inspection) {
  const GgufFiles opened = TRY(open_gguf_files(path));
  const Gguf& gguf = opened.gguf;
  inspection.format = fmt::format("GGUF v{}", gguf.version());
  inspection.architecture = TRY(gguf.string("general.architecture")).value_or("");
  inspection.name = TRY(gguf.string("general.name")).value_or("");
  inspection.has_chat_template = TRY(gguf.string("tokenizer.chat_template")).has_value();
  count_tensors(gguf.tensors(), inspection);
  return {};
}

std::string in_units(int64_t bytes) {
  if (bytes < 1 << 20) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
  if (bytes < 1 << 30) return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1 << 30));
}

std::string in_millions(int64_t count) {
  return count < 1'000'000 ? fmt::format("{:.0f} thousand", static_cast<double>(count) / 1e3)
                           : fmt::format("{:.1f} million", static_cast<double>(count) / 1e6);
}

std::string describe_types(const Inspection& found) {
  std::string types;
  for (const auto& [type, count] : found.tensors_by_type) {
    types += fmt::format("{}{} × {}", types.empty() ? "" : ", ", count, type);
  }
  return types;
}

using Line = std::function<void(std::string_view what, const std::string& value)>;

void describe_shape(const Hyperparameters& shape, const Line& line) {
  if (shape.layers == 0) return;
  line("shape", fmt::format("{} layers, width {}, {} heads ({} for keys and values) of {}, feed-forward {}",
                            shape.layers, shape.hidden, shape.heads, shape.kv_heads, shape.head_dim,
                            shape.experts.count > 0 ? shape.experts.ffn : shape.ffn));
  if (shape.experts.count > 0) {
    line("experts", fmt::format("{} in a layer, {} for each token", shape.experts.count, shape.experts.used));
  }
  line("embeddings", shape.tied_embeddings ? "shared by input and output" : "separate for input and output");
  line("context", fmt::format("{} tokens", shape.context));
}

std::string describe_answers(const Inspection& found) {
  if (found.pooling != Pooling::kNone) return "vectors (/v1/embeddings)";
  if (!found.has_chat_template) return "completions; no chat, since it has no template";
  return found.chat_template_error.empty()
             ? "chat and completions"
             : "completions; chat template not understood: " + found.chat_template_error;
}

void describe_memory(const Inspection& found, const Line& line) {
  if (found.weight_bytes > 0) line("weights", in_units(found.weight_bytes) + " in the file");
  if (found.loaded_bytes > 0) {
    line("loaded", fmt::format("{}; a server with this model alone takes {}, and its cache as it fills",
                               in_units(found.loaded_bytes), in_units(found.resident_bytes)));
  }
  if (found.kv_bytes_per_token == 0) return;
  line("cache", fmt::format("{} per token, {} for a sequence that fills the context (bf16)",
                            in_units(found.kv_bytes_per_token),
                            in_units(found.kv_bytes_per_token * found.shape.context)));
}

}  // namespace

Result<Inspection> inspect_model(const std::filesystem::path& path) {
  Inspection inspection;
  auto parts = read_model_parts(path);
  if (parts) {
    inspect_parts(std::move(*parts), inspection);
    return inspection;
  }
  inspection.refusal = parts.error().message;
  if (parts.error().code != ErrorCode::kUnsupported) return std::unexpected(std::move(parts).error());
  if (std::filesystem::is_regular_file(path) && !inspect_gguf(path, inspection)) {
    return std::unexpected(std::move(parts).error());
  }
  return inspection;
}

Result<Inspection> inspect_model_bytes(std::span<const std::byte> gguf) {
  Inspection inspection;
  const auto file = TRY(read_gguf_bytes(gguf));
  inspect_parts(TRY(read_gguf_model(file)), inspection);
  return inspection;
}

std::string describe(const Inspection& found) {
  std::string text;
  const auto line = [&](std::string_view what, const std::string& value) {
    if (!value.empty()) text += fmt::format("{:<14}{}\n", what, value);
  };
  line("name", found.name);
  line("format", found.format);
  line("family", found.architecture);
  if (found.parameters > 0) line("parameters", in_millions(found.parameters));
  line("tensors", describe_types(found));
  describe_shape(found.shape, line);
  line("tokenizer", found.tokenizer);
  line("answers", describe_answers(found));
  describe_memory(found, line);
  line("loads", found.refusal.empty() ? "yes" : "no: " + found.refusal);
  return text;
}

}  // namespace feilun::model
