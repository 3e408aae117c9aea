#include "model/hugging_face_tokenizer.h"

#include <optional>

#include "model/hugging_face_json.h"
#include "model/hugging_face_tokenizer_json.h"
#include "model/hugging_face_vocabulary.h"
#include "model/hugging_face_vocabulary_files.h"
#include "model/mapped_file.h"

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
using Element = simdjson::dom::element;

constexpr size_t kTextBytesMax = size_t{64} << 20;

/// "bos_token": "<s>", or {"content": "<s>"}, or null.
Result<TokenId> read_named_token(const HuggingFaceObject& config, std::string_view key,
                                 const TokenizerSpec& spec) {
  const auto found = config.find(key);
  if (!found) return -1;
  std::string_view text;
  if (found->is_object()) {
    text = TRY(HuggingFaceObject(*found).string("content")).value_or("");
  } else {
    text = TRY(config.string(key)).value_or("");
  }
  const TokenId id = find_token(spec, text);
  if (id < 0 && !text.empty()) {
    return fail(ErrorCode::kCorrupt, "{} is \"{}\", which is not in the vocabulary", key, text);
  }
  return id;
}

/// A string, or a list of named templates of which "default" is taken.
Result<std::string> read_chat_template(const fs::path& directory, const HuggingFaceObject& config) {
  const fs::path file = directory / "chat_template.jinja";
  if (fs::exists(file)) return read_text_file(file, kTextBytesMax);
  const auto found = config.find("chat_template");
  if (!found) return std::string();
  simdjson::dom::array list;
  if (found->get(list) != simdjson::SUCCESS)
    return std::string(TRY(config.string("chat_template")).value_or(""));
  for (const Element item : list) {
    const HuggingFaceObject named(item);
    if (TRY(named.string("name")).value_or("") == "default") {
      return std::string(TRY(named.string("template")).value_or(""));
    }
  }
  return std::string();
}

/// Some classes decide by the configuration, not by tokenizer.json, whether a text is put between BOS and
/// EOS.
Result<> settle_frame(const HuggingFaceObject& config, TokenizerSpec& spec) {
  if (const auto adds = TRY(config.boolean("add_bos_token"))) {
    spec.add_bos = *adds;
    if (spec.frame_begin.empty() || spec.frame_begin == std::vector{spec.bos}) {
      spec.frame_begin = *adds ? std::vector{spec.bos} : std::vector<TokenId>();
    }
  }
  if (const auto adds = TRY(config.boolean("add_eos_token"))) {
    if (spec.frame_end.empty() || spec.frame_end == std::vector{spec.eos}) {
      spec.frame_end = *adds ? std::vector{spec.eos} : std::vector<TokenId>();
    }
  }
  spec.add_bos = spec.add_bos && spec.bos >= 0;
  return {};
}

}  // namespace

Result<HuggingFaceTokenizer> read_hugging_face_tokenizer(const fs::path& directory) {
  std::optional<JsonDocument> document;
  HuggingFaceObject config;
  if (fs::exists(directory / "tokenizer_config.json")) {
    document = TRY(read_json_file(directory / "tokenizer_config.json"));
    config = HuggingFaceObject(document->root());
  }
  HuggingFaceTokenizer tokenizer;
  TokenizerSpec& spec = tokenizer.spec;
  if (fs::exists(directory / "tokenizer.json")) {
    const JsonDocument pipeline = TRY(read_json_file(directory / "tokenizer.json"));
    spec = TRY(read_tokenizer_json(HuggingFaceObject(pipeline.root())));
  } else if (auto read = TRY(read_vocabulary_files(directory, config))) {
    spec = std::move(*read);
  } else if (fs::exists(directory / "tokenizer.model")) {
    return fail(ErrorCode::kUnsupported,
                "the tokenizer is only there as SentencePiece's tokenizer.model: load it with transformers' "
                "AutoTokenizer and save it (save_pretrained), which writes a tokenizer.json");
  } else {
    return fail(
        ErrorCode::kNotFound,
        "there is no tokenizer.json, no vocab.json with merges.txt, no tiktoken file and no vocab.txt");
  }
  spec.bos = TRY(read_named_token(config, "bos_token", spec));
  const TokenId eos = TRY(read_named_token(config, "eos_token", spec));
  if (eos >= 0) spec.eos = eos;
  spec.padding = TRY(read_named_token(config, "pad_token", spec));
  TRY(settle_frame(config, spec));
  tokenizer.chat_template = TRY(read_chat_template(directory, config));
  return tokenizer;
}

}  // namespace feilun::model
