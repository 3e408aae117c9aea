#include "model/hugging_face_vocabulary_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

#include "model/hugging_face_vocabulary.h"
#include "model/mapped_file.h"
#include "model/pretokenizer_families.h"
#include "model/tiktoken.h"

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
using Kind = NormaliserStep::Kind;

constexpr size_t kTextBytesMax = size_t{64} << 20;

Result<> for_each_line(std::string_view text, const std::function<Result<>(std::string_view, size_t)>& line) {
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view content = text.substr(at, end - at);
    if (content.ends_with('\r')) content.remove_suffix(1);
    at = end + 1;
    TRY(line(content, ++number));
  }
  return {};
}

Result<> read_merges_text(const fs::path& path, TokenizerSpec& spec) {
  const std::string text = TRY(read_text_file(path, kTextBytesMax));
  return for_each_line(text, [&](std::string_view line, size_t number) -> Result<> {
    if (line.empty() || (number == 1 && line.starts_with("#version"))) return {};
    spec.merges.push_back(split_merge(line));
    if (!spec.merges.back().first.empty()) return {};
    return fail(ErrorCode::kCorrupt, "line {} of merges.txt is not two tokens", number);
  });
}

/// added_tokens_decoder: {"151644": {"content": "<|im_start|>", "special": true}, …}.
Result<> read_added_decoder(const HuggingFaceObject& config, TokenizerSpec& spec) {
  const auto found = config.find("added_tokens_decoder");
  simdjson::dom::object entries;
  if (!found || found->get(entries) != simdjson::SUCCESS) return {};
  const size_t count = spec.tokens.size() + element_count(entries);
  for (const auto [key, value] : entries) {
    int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size()) {
      return fail(ErrorCode::kCorrupt, "added_tokens_decoder has a bad entry \"{}\"", key);
    }
    TRY(set_added_token(spec, count, id, HuggingFaceObject(value)));
  }
  return {};
}

Result<TokenizerSpec> read_vocab_and_merges(const fs::path& directory, const HuggingFaceObject& config) {
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
  TRY(read_added_decoder(config, spec));
  return spec;
}

/// What a class that reads tiktoken's files does besides.
struct TiktokenClass {
  std::string_view name;
  std::string_view pre;
  bool adds_chat_tokens = false;  ///< the first Qwen's are in its code, not in a file
};

constexpr std::array kTiktokenClasses = {
    TiktokenClass{"QWenTokenizer", "qwen2", true},
    TiktokenClass{"ChatGLM4Tokenizer", "glm4"},
    TiktokenClass{"TikTokenTokenizer", "kimi-k2"},
};

const TiktokenClass* tiktoken_class(const HuggingFaceObject& config) {
  const auto name = config.string("tokenizer_class");
  if (!name || !*name) return nullptr;
  const auto found = std::ranges::find(kTiktokenClasses, **name, &TiktokenClass::name);
  return found == kTiktokenClasses.end() ? nullptr : &*found;
}

std::optional<fs::path> tiktoken_file(const fs::path& directory, const HuggingFaceObject& config) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".tiktoken") return entry.path();
  }
  if (fs::exists(directory / "tiktoken.model")) return directory / "tiktoken.model";
  // Elsewhere a file of this name is SentencePiece's.
  const fs::path other = directory / "tokenizer.model";
  if (tiktoken_class(config) != nullptr && fs::exists(other)) return other;
  return std::nullopt;
}

void add_qwen_chat_tokens(TokenizerSpec& spec) {
  const auto add = [&spec](std::string text) {
    spec.tokens.push_back(std::move(text));
    spec.kinds.push_back(TokenKind::kControl);
  };
  for (const char* text : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) add(text);
  for (int i = 0; i < 205; ++i) add(fmt::format("<|extra_{}|>", i));
  spec.eos = find_token(spec, "<|endoftext|>");
}

Result<TokenizerSpec> read_tiktoken(const fs::path& path, const HuggingFaceObject& config) {
  const TiktokenClass* known = tiktoken_class(config);
  if (known == nullptr) {
    return fail(
        ErrorCode::kUnsupported,
        "{} has no pattern of its words, and the tokenizer's class {} is not one that this version knows",
        path.filename().string(), TRY(config.string("tokenizer_class")).value_or("(none)"));
  }
  const std::string text = TRY(read_text_file(path, kTextBytesMax));
  TokenizerSpec spec = TRY(parse_tiktoken(text));
  spec.pre = known->pre;
  if (known->adds_chat_tokens) add_qwen_chat_tokens(spec);
  TRY(read_added_decoder(config, spec));
  return spec;
}

Result<> add_bert_steps(const HuggingFaceObject& config, TokenizerSpec& spec) {
  const bool lower = TRY(config.boolean("do_lower_case")).value_or(true);
  spec.normaliser.push_back({Kind::kCleanText});
  if (TRY(config.boolean("tokenize_chinese_chars")).value_or(true))
    spec.normaliser.push_back({Kind::kSpaceIdeographs});
  if (TRY(config.boolean("strip_accents")).value_or(lower)) {
    spec.normaliser.push_back({Kind::kNfd});
    spec.normaliser.push_back({Kind::kDropNonspacingMarks});
  }
  if (lower) spec.normaliser.push_back({Kind::kLowercase});
  spec.words.push_back({.text = std::string(kSpacesPattern), .matches = WordStep::Matches::kDropped});
  spec.words.push_back({.text = std::string(kPunctuationPattern)});
  spec.steps_are_complete = true;
  return {};
}

}  // namespace

Result<TokenizerSpec> parse_word_pieces(std::string_view text, const HuggingFaceObject& config) {
  TokenizerSpec spec;
  spec.family = TokenizerSpec::Family::kWordPiece;
  TRY(for_each_line(text, [&](std::string_view line, size_t) -> Result<> {
    while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
    spec.tokens.emplace_back(line);
    spec.kinds.push_back(TokenKind::kNormal);
    return {};
  }));
  TRY(add_bert_steps(config, spec));
  for (const std::string_view name : {"[PAD]", "[CLS]", "[SEP]", "[MASK]"}) {
    if (const TokenId id = find_token(spec, name); id >= 0)
      spec.kinds[static_cast<size_t>(id)] = TokenKind::kControl;
  }
  set_unknown(spec, "[UNK]");
  TRY(read_added_decoder(config, spec));
  if (spec.unknown >= 0) spec.kinds[static_cast<size_t>(spec.unknown)] = TokenKind::kUnknown;
  spec.frame_begin = {find_token(spec, "[CLS]")};
  spec.frame_end = {find_token(spec, "[SEP]")};
  return spec;
}

Result<std::optional<TokenizerSpec>> read_vocabulary_files(const fs::path& directory,
                                                           const HuggingFaceObject& config) {
  if (fs::exists(directory / "vocab.json") && fs::exists(directory / "merges.txt")) {
    return TRY(read_vocab_and_merges(directory, config));
  }
  if (const auto ranks = tiktoken_file(directory, config)) return TRY(read_tiktoken(*ranks, config));
  const std::string_view type = TRY(config.string("tokenizer_class")).value_or("BertTokenizer");
  if (fs::exists(directory / "vocab.txt") && (type == "BertTokenizer" || type == "BertTokenizerFast")) {
    const std::string text = TRY(read_text_file(directory / "vocab.txt", kTextBytesMax));
    return TRY(parse_word_pieces(text, config));
  }
  return std::nullopt;
}

}  // namespace feilun::model
