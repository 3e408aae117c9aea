#include "model/pooling_files.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/hugging_face_json.h"
#include "model/mapped_file.h"

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
constexpr size_t kModulesBytesMax = size_t{1} << 20;

/// One step of modules.json.
struct Module {
  std::string type;  ///< the last part of the class name: "Pooling"
  std::string folder;
};

Result<std::vector<Module>> read_modules(const fs::path& path) {
  const std::string text = TRY(read_text_file(path, kModulesBytesMax));
  const JsonDocument document = TRY(JsonDocument::parse(text));
  simdjson::dom::array list;
  if (document.root().get(list) != simdjson::SUCCESS) {
    return fail(ErrorCode::kCorrupt, "modules.json is not a list");
  }
  std::vector<Module> modules;
  for (const simdjson::dom::element entry : list) {
    std::string_view type;
    std::string_view folder;
    const bool good = entry["type"].get(type) == simdjson::SUCCESS &&
                      entry["path"].get(folder) == simdjson::SUCCESS &&
                      folder.find_first_of(std::string_view("/\\\0", 3)) == folder.npos && folder != "..";
    if (!good) return fail(ErrorCode::kCorrupt, "modules.json lists something that is no module");
    modules.push_back({std::string(type.substr(type.rfind('.') + 1)), std::string(folder)});
  }
  return modules;
}

Result<Pooling> pooling_called(std::string_view name) {
  if (name == "mean") return Pooling::kMean;
  if (name == "cls") return Pooling::kFirst;
  if (name == "lasttoken") return Pooling::kLast;
  return fail(ErrorCode::kUnsupported,
              "vectors are pooled by \"{}\"; this version has mean, cls and lasttoken", name);
}

/// Newer files name the way, older ones have a switch for each.
Result<Pooling> read_pooling_config(const fs::path& path) {
  const JsonDocument document = TRY(read_json_file(path));
  const HuggingFaceObject config(document.root());
  if (config.find("pooling_mode")) return pooling_called(TRY(config.string("pooling_mode")).value_or(""));
  Pooling pooling = Pooling::kNone;
  for (const std::string_view way : {"mean_tokens", "cls_token", "lasttoken", "max_tokens",
                                     "mean_sqrt_len_tokens", "weightedmean_tokens"}) {
    if (!TRY(config.boolean(fmt::format("pooling_mode_{}", way))).value_or(false)) continue;
    if (pooling != Pooling::kNone) {
      return fail(ErrorCode::kUnsupported, "vectors pooled in several ways at once are not supported");
    }
    pooling = TRY(pooling_called(way == "mean_tokens" ? "mean" : way == "cls_token" ? "cls" : way));
  }
  return pooling == Pooling::kNone ? Pooling::kMean : pooling;
}

/// An integer of a JSON file that may be absent; nullopt also for what is no window: "no limit" is written as
/// 10³⁰.
Result<std::optional<int>> read_limit(const fs::path& path, std::string_view key) {
  if (!fs::exists(path)) return std::nullopt;
  const JsonDocument document = TRY(read_json_file(path));
  int64_t limit = 0;
  if (document.root()[key].get(limit) != simdjson::SUCCESS || limit < 1 || limit > INT32_MAX) {
    return std::nullopt;
  }
  return static_cast<int>(limit);
}

Result<Pooling> read_steps(const fs::path& directory) {
  const fs::path list = directory / "modules.json";
  if (!fs::exists(list)) return Pooling::kNone;
  Pooling pooling = Pooling::kNone;
  for (const Module& module : TRY(read_modules(list))) {
    if (module.type == "Transformer" || module.type == "Normalize") continue;
    if (module.type != "Pooling" || pooling != Pooling::kNone) {
      return fail(ErrorCode::kUnsupported,
                  "modules.json asks for a step \"{}\", which this version does not have", module.type);
    }
    pooling = TRY(read_pooling_config(directory / module.folder / "config.json"));
  }
  return pooling;
}

Result<Pooling> pooling_numbered(int type) {
  constexpr Pooling kTypes[] = {Pooling::kNone, Pooling::kMean, Pooling::kFirst, Pooling::kLast};
  if (type < static_cast<int>(std::size(kTypes))) return kTypes[type];
  if (type == 4) {
    return fail(ErrorCode::kUnsupported,
                "the model ranks texts instead of giving vectors, which this version does not do");
  }
  return fail(ErrorCode::kUnsupported, "the file's way of pooling, {}, is not known to this version", type);
}

/// A tokenizer that lowers letters itself has done what `do_lower_case` asks for.
Result<> check_texts(const fs::path& directory, const TokenizerSpec& tokenizer) {
  const fs::path lowering = directory / "sentence_bert_config.json";
  if (fs::exists(lowering)) {
    const JsonDocument document = TRY(read_json_file(lowering));
    const bool lower = TRY(HuggingFaceObject(document.root()).boolean("do_lower_case")).value_or(false);
    const auto lowers = [](const NormaliserStep& step) {
      return step.kind == NormaliserStep::Kind::kLowercase;
    };
    if (lower && std::ranges::none_of(tokenizer.normaliser, lowers)) {
      return fail(ErrorCode::kUnsupported,
                  "sentence_bert_config.json asks to lower all letters (do_lower_case), which the tokenizer "
                  "does not do, nor this version");
    }
  }
  const fs::path prompts = directory / "config_sentence_transformers.json";
  if (fs::exists(prompts)) {
    const JsonDocument document = TRY(read_json_file(prompts));
    if (HuggingFaceObject(document.root()).find("default_prompt_name")) {
      return fail(ErrorCode::kUnsupported,
                  "config_sentence_transformers.json puts a prompt before every text (default_prompt_name), "
                  "which this version does not do");
    }
  }
  return {};
}

void settle(Pooling pooling, ModelFile& file) {
  const bool is_bert = file.shape.architecture == "bert";
  file.pooling = is_bert && pooling == Pooling::kNone ? Pooling::kMean : pooling;
}

}  // namespace

Result<> read_directory_pooling(const fs::path& directory, const TokenizerSpec& tokenizer, ModelFile& file) {
  settle(TRY(read_steps(directory)), file);
  if (file.embeds()) TRY(check_texts(directory, tokenizer));
  if (file.shape.architecture != "bert") return {};
  const std::pair<std::string_view, std::string_view> limits[] = {
      {"sentence_bert_config.json", "max_seq_length"}, {"tokenizer_config.json", "model_max_length"}};
  for (const auto& [name, key] : limits) {
    const auto limit = TRY(read_limit(directory / name, key));
    file.shape.context = std::min(file.shape.context, limit.value_or(file.shape.context));
  }
  return {};
}

Result<> read_gguf_pooling(const Gguf& gguf, ModelFile& file) {
  const auto type = TRY(gguf.integer(fmt::format("{}.pooling_type", file.shape.architecture)));
  settle(TRY(pooling_numbered(type.value_or(0))), file);
  return {};
}

}  // namespace feilun::model
