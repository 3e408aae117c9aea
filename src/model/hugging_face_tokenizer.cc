#include "model/hugging_face_tokenizer.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "model/hugging_face_json.h"
#include "model/mapped_file.h"
#include "model/pretokenizer.h"

// tokenizer.json describes a pipeline: a normaliser, a pre-tokenizer, the model with its merges, a
// post-processor that adds BOS. Any pipeline can be written down; two kinds of it are in use for BPE and are
// recognised here, everything else is refused by name rather than tokenised almost right.

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
using Element = simdjson::dom::element;

constexpr size_t kTextBytesMax = size_t{64} << 20;

std::string_view type_of(const HuggingFaceObject& object) {
  const auto type = object.string("type");
  return type && *type ? **type : std::string_view();
}

/// The parts of a Sequence, or the thing itself; nothing when it is null.
std::vector<HuggingFaceObject> parts_of(std::optional<Element> element, std::string_view list_key) {
  std::vector<HuggingFaceObject> parts;
  if (!element || !element->is_object()) return parts;
  const HuggingFaceObject whole(*element);
  const auto list = whole.find(list_key);
  simdjson::dom::array items;
  if (type_of(whole) != "Sequence" || !list || list->get(items) != simdjson::SUCCESS) return {whole};
  for (const Element item : items) parts.emplace_back(item);
  return parts;
}

Result<> set_token(TokenizerSpec& spec, size_t count, int64_t id, std::string_view text, TokenKind kind) {
  // Ids may leave gaps, but a small file must not ask for a huge table.
  if (id < 0 || static_cast<uint64_t>(id) > 2 * count + 4096) {
    return fail(ErrorCode::kCorrupt, "the token \"{}\" has the id {}, far outside the vocabulary of {}", text,
                id, count);
  }
  const auto place = static_cast<size_t>(id);
  if (place >= spec.tokens.size()) {
    spec.tokens.resize(place + 1);
    spec.kinds.resize(place + 1, TokenKind::kUnused);
  }
  spec.tokens[place] = text;
  spec.kinds[place] = kind;
  return {};
}

Result<> read_vocabulary(Element element, TokenizerSpec& spec) {
  simdjson::dom::object vocabulary;
  if (element.get(vocabulary) != simdjson::SUCCESS) {
    return fail(ErrorCode::kCorrupt, "the tokenizer's vocabulary is not an object");
  }
  size_t count = 0;
  for ([[maybe_unused]] const auto entry : vocabulary) ++count;
  for (const auto [text, value] : vocabulary) {
    int64_t id = -1;
    if (value.get(id) != simdjson::SUCCESS) id = -1;
    TRY(set_token(spec, count, id, text, TokenKind::kNormal));
  }
  return {};
}

/// Merges are "left right" or, in newer files, ["left", "right"].
Result<> read_merges(Element element, TokenizerSpec& spec) {
  simdjson::dom::array merges;
  if (element.get(merges) != simdjson::SUCCESS) return fail(ErrorCode::kCorrupt, "the merges are not a list");
  for (const Element merge : merges) {
    std::string_view line;
    std::string_view left;
    std::string_view right;
    if (merge.get(line) == simdjson::SUCCESS) {
      spec.merges.push_back(split_merge(line));
    } else if (merge.at(0).get(left) == simdjson::SUCCESS && merge.at(1).get(right) == simdjson::SUCCESS) {
      spec.merges.emplace_back(left, right);
    }
    const size_t rank = spec.merges.size();
    if (rank == 0 || spec.merges.back().first.empty() || spec.merges.back().second.empty()) {
      return fail(ErrorCode::kCorrupt, "merge {} is not two tokens", rank);
    }
  }
  return {};
}

Result<> read_added(Element element, TokenizerSpec& spec) {
  simdjson::dom::array tokens;
  if (element.get(tokens) != simdjson::SUCCESS)
    return fail(ErrorCode::kCorrupt, "added_tokens is not a list");
  for (const Element token : tokens) {
    const HuggingFaceObject object(token);
    const auto id = TRY(object.integer("id"));
    const auto content = TRY(object.string("content"));
    if (!id || !content) return fail(ErrorCode::kCorrupt, "an added token has no id or no content");
    const bool special = TRY(object.boolean("special")).value_or(false);
    TRY(set_token(spec, spec.tokens.size(), *id, *content,
                  special ? TokenKind::kControl : TokenKind::kUserDefined));
  }
  return {};
}

/// The pre-tokenizer of a byte-level pipeline by GGUF's name.
Result<std::string> read_word_patterns(const std::vector<HuggingFaceObject>& parts) {
  std::vector<std::string> patterns;
  for (const HuggingFaceObject& part : parts) {
    const std::string_view type = type_of(part);
    if (type == "ByteLevel") {
      if (TRY(part.boolean("add_prefix_space")).value_or(false)) {
        return fail(ErrorCode::kUnsupported,
                    "the tokenizer puts a space before the text, which this version does not");
      }
      if (TRY(part.boolean("use_regex")).value_or(true)) patterns.emplace_back(PreTokenizer::gpt2_pattern());
    } else if (type == "Split") {
      const auto pattern = TRY(part.object("pattern"));
      const auto regex = pattern ? TRY(pattern->string("Regex")) : std::nullopt;
      const bool isolated = TRY(part.string("behavior")).value_or("") == "Isolated";
      if (!regex || !isolated || TRY(part.boolean("invert")).value_or(false)) {
        return fail(ErrorCode::kUnsupported,
                    "the tokenizer cuts words in a way that this version does not know");
      }
      patterns.emplace_back(*regex);
    } else if (type == "Digits" && TRY(part.boolean("individual_digits")).value_or(false)) {
      patterns.emplace_back(R"(\p{N})");
    } else {
      return fail(ErrorCode::kUnsupported, "the tokenizer's pre-tokenizer {} is not known to this version",
                  type);
    }
  }
  const std::string_view name = PreTokenizer::name_of(patterns);
  if (name.empty()) {
    return fail(ErrorCode::kUnsupported,
                "the tokenizer cuts words by a pattern that this version does not know: {}",
                fmt::join(patterns, " then "));
  }
  return std::string(name);
}

Result<> read_byte_level(const HuggingFaceObject& root, const std::vector<HuggingFaceObject>& words,
                         TokenizerSpec& spec) {
  spec.family = TokenizerSpec::Family::kByteLevel;
  spec.pre = TRY(read_word_patterns(words));
  const auto normalisers = parts_of(root.find("normalizer"), "normalizers");
  const bool nfc = normalisers.size() == 1 && type_of(normalisers[0]) == "NFC";
  const bool wants_nfc = TRY(PreTokenizer::make(spec.pre))->wants_nfc();
  if (nfc != wants_nfc || normalisers.size() > 1) {
    return fail(ErrorCode::kUnsupported,
                "the tokenizer normalises text in a way that this version does not know");
  }
  return {};
}

/// A normaliser of Prepend ▁ and Replace ' ' by ▁, no pre-tokenizer, byte tokens for the rest.
Result<> read_pieces(const HuggingFaceObject& root, const HuggingFaceObject& model, TokenizerSpec& spec) {
  spec.family = TokenizerSpec::Family::kSentencePiece;
  bool replaces = false;
  for (const HuggingFaceObject& part : parts_of(root.find("normalizer"), "normalizers")) {
    const std::string_view type = type_of(part);
    if (type == "Prepend" && TRY(part.string("prepend")).value_or("") == "▁" && !replaces) {
      spec.dummy_prefix = true;
    } else if (type == "Replace" && TRY(part.string("content")).value_or("") == "▁") {
      const auto pattern = TRY(part.object("pattern"));
      replaces = pattern && TRY(pattern->string("String")).value_or("") == " ";
    } else {
      return fail(ErrorCode::kUnsupported, "the tokenizer's normaliser {} is not known to this version",
                  type);
    }
  }
  if (!replaces)
    return fail(ErrorCode::kUnsupported, "the tokenizer is of a kind that this version does not know");
  if (!TRY(model.boolean("byte_fallback")).value_or(false)) return {};
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    const std::string& text = spec.tokens[i];
    const bool is_byte = spec.kinds[i] == TokenKind::kNormal && text.size() == 6 && text.starts_with("<0x") &&
                         text.ends_with('>') && text.find_first_not_of("0123456789ABCDEFabcdef", 3) == 5;
    if (is_byte) spec.kinds[i] = TokenKind::kByte;
  }
  return {};
}

/// Whether the post-processor starts a text with a special token.
bool template_adds_bos(const HuggingFaceObject& root) {
  for (const HuggingFaceObject& part : parts_of(root.find("post_processor"), "processors")) {
    const auto single = part.find("single");
    Element first;
    if (single && single->at(0).get(first) == simdjson::SUCCESS &&
        HuggingFaceObject(first).find("SpecialToken")) {
      return true;
    }
  }
  return false;
}

TokenId find_token(const TokenizerSpec& spec, std::string_view text) {
  const auto found = std::ranges::find(spec.tokens, text);
  return found == spec.tokens.end() || text.empty() ? -1 : static_cast<TokenId>(found - spec.tokens.begin());
}

void set_unknown(TokenizerSpec& spec, std::string_view text) {
  spec.unknown = find_token(spec, text);
  if (spec.unknown >= 0) spec.kinds[static_cast<size_t>(spec.unknown)] = TokenKind::kUnknown;
}

Result<TokenizerSpec> read_tokenizer_json(const fs::path& path) {
  const JsonDocument document = TRY(read_json_file(path));
  const HuggingFaceObject root(document.root());
  const auto model = TRY(root.object("model"));
  if (!model) return fail(ErrorCode::kCorrupt, "tokenizer.json has no model");
  const auto vocabulary = model->find("vocab");
  const auto merges = model->find("merges");
  const std::string_view type = type_of(*model);
  if (type != "BPE" && !(type.empty() && merges)) {
    return fail(ErrorCode::kUnsupported, "the tokenizer is of type {}; this version reads BPE", type);
  }
  if (!vocabulary || !merges) return fail(ErrorCode::kCorrupt, "tokenizer.json has no vocab or no merges");
  TokenizerSpec spec;
  TRY(read_vocabulary(*vocabulary, spec));
  TRY(read_merges(*merges, spec));
  if (const auto added = root.find("added_tokens")) TRY(read_added(*added, spec));
  const auto words = parts_of(root.find("pre_tokenizer"), "pretokenizers");
  if (words.empty()) {
    TRY(read_pieces(root, *model, spec));
  } else {
    TRY(read_byte_level(root, words, spec));
  }
  set_unknown(spec, TRY(model->string("unk_token")).value_or(""));
  spec.add_bos = template_adds_bos(root);
  return spec;
}

Result<> read_merges_text(const fs::path& path, TokenizerSpec& spec) {
  const std::string text = TRY(read_text_file(path, kTextBytesMax));
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool is_version = at == 0 && line.starts_with("#version");
    at = end + 1;
    if (line.empty() || is_version) continue;
    spec.merges.push_back(split_merge(line));
    if (spec.merges.back().first.empty()) {
      return fail(ErrorCode::kCorrupt, "line {} of merges.txt is not two tokens", spec.merges.size());
    }
  }
  return {};
}

/// vocab.json and merges.txt say nothing of the words; the tokenizer's class does.
Result<TokenizerSpec> read_vocabulary_files(const fs::path& directory, const HuggingFaceObject& config) {
  TokenizerSpec spec;
  const std::string_view type = TRY(config.string("tokenizer_class")).value_or("GPT2Tokenizer");
  if (type.starts_with("Qwen2Tokenizer")) {
    spec.pre = "qwen2";
  } else if (type.starts_with("GPT2Tokenizer")) {
    spec.pre = "gpt-2";
  } else {
    return fail(ErrorCode::kUnsupported,
                "the tokenizer is a {}, which this version reads only from tokenizer.json", type);
  }
  const JsonDocument vocabulary = TRY(read_json_file(directory / "vocab.json"));
  TRY(read_vocabulary(vocabulary.root(), spec));
  TRY(read_merges_text(directory / "merges.txt", spec));
  return spec;
}

/// added_tokens_decoder: {"151644": {"content": "<|im_start|>", "special": true}, …}.
Result<> read_added_decoder(const HuggingFaceObject& config, TokenizerSpec& spec) {
  const auto found = config.find("added_tokens_decoder");
  simdjson::dom::object entries;
  if (!found || found->get(entries) != simdjson::SUCCESS) return {};
  for (const auto [key, value] : entries) {
    int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    const HuggingFaceObject object(value);
    const auto content = TRY(object.string("content"));
    if (error != std::errc() || end != key.data() + key.size() || !content) {
      return fail(ErrorCode::kCorrupt, "added_tokens_decoder has a bad entry \"{}\"", key);
    }
    const bool special = TRY(object.boolean("special")).value_or(false);
    TRY(set_token(spec, spec.tokens.size(), id, *content,
                  special ? TokenKind::kControl : TokenKind::kUserDefined));
  }
  return {};
}

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
    spec = TRY(read_tokenizer_json(directory / "tokenizer.json"));
  } else if (fs::exists(directory / "vocab.json") && fs::exists(directory / "merges.txt")) {
    spec = TRY(read_vocabulary_files(directory, config));
    TRY(read_added_decoder(config, spec));
  } else {
    return fail(ErrorCode::kNotFound, "there is no tokenizer.json and no vocab.json with merges.txt");
  }
  spec.bos = TRY(read_named_token(config, "bos_token", spec));
  spec.eos = TRY(read_named_token(config, "eos_token", spec));
  spec.padding = TRY(read_named_token(config, "pad_token", spec));
  spec.add_bos = TRY(config.boolean("add_bos_token")).value_or(spec.add_bos) && spec.bos >= 0;
  tokenizer.chat_template = TRY(read_chat_template(directory, config));
  return tokenizer;
}

}  // namespace feilun::model
