// LINK: feilun_model
// Any text through tokenizers of every family, some built in, some read from the input itself. The input's
// first byte says which: '{' a tokenizer.json, 't' a rank file, 'v' a vocab.txt, 'p' a pattern of words; each
// ends at a zero byte, the text follows. Anything else is all text. Texts are cut into trusted and untrusted
// fragments at 0x01 and 0x02: no control token may come from what is not trusted, and where a vocabulary has
// every byte the tokens are the text.
#include <cstdint>
#include <string>

#include "model/byte_level_alphabet.h"
#include "model/hugging_face_tokenizer_json.h"
#include "model/hugging_face_vocabulary_files.h"
#include "model/pretokenizer.h"
#include "model/tiktoken.h"
#include "model/tokenizer_spec.h"

namespace {

using namespace feilun::model;

TokenizerSpec byte_level() {
  TokenizerSpec spec;
  spec.pre = "llama-bpe";
  for (int i = 0; i < 256; ++i)
    spec.tokens.push_back(to_printable_bytes(std::string(1, static_cast<char>(i))));
  for (const char* pair : {"ab", "abab", "Ġa", "the", "ĠĠ", "ĠĠĠĠ"}) spec.tokens.emplace_back(pair);
  spec.tokens.insert(spec.tokens.end(), {"<c>", "<u>", "<cc>"});
  spec.kinds.assign(spec.tokens.size(), TokenKind::kNormal);
  spec.kinds[262] = spec.kinds[264] = TokenKind::kControl;
  spec.kinds[263] = TokenKind::kUserDefined;
  spec.merges = {{"a", "b"}, {"ab", "ab"}, {"Ġ", "a"}, {"Ġ", "Ġ"}, {"ĠĠ", "ĠĠ"}};
  return spec;
}

TokenizerSpec pieces(TokenizerSpec::Family family) {
  TokenizerSpec spec;
  spec.family = family;
  spec.tokens = {"<unk>", "<c>"};
  spec.kinds = {TokenKind::kUnknown, TokenKind::kControl};
  for (int i = 0; i < 256; ++i) {
    spec.tokens.push_back(fmt::format("<0x{:02X}>", i));
    spec.kinds.push_back(TokenKind::kByte);
  }
  for (const char* piece : {"▁", "a", "b", "ab", "▁a", "▁ab", "▁▁", "abab", "##a", "##b"}) {
    spec.tokens.emplace_back(piece);
    spec.kinds.push_back(TokenKind::kNormal);
  }
  for (size_t i = 0; i < spec.tokens.size(); ++i) spec.scores.push_back(-static_cast<float>(i));
  spec.unknown = 0;
  return spec;
}

std::shared_ptr<const Tokenizer> made(TokenizerSpec spec) {
  return *make_tokenizer(std::move(spec), 300);
}

struct Text {
  std::vector<PromptFragment> fragments = std::vector<PromptFragment>(1);
  bool any_trusted = false;

  explicit Text(std::string_view bytes) {
    for (const char c : bytes) {
      if (c != 1 && c != 2) {
        fragments.back().text += c;
        continue;
      }
      fragments.push_back({"", c == 1});
      any_trusted = any_trusted || c == 1;
    }
  }
};

void check(const Tokenizer& tokenizer, const Text& text, TokenId unknown, bool exact) {
  std::string whole;
  std::string back;
  for (const PromptFragment& fragment : text.fragments) whole += fragment.text;
  for (const TokenId id : tokenizer.framed(tokenizer.encode(text.fragments))) {
    back += tokenizer.text(id);
  }
  for (const TokenId id : tokenizer.encode(text.fragments)) {
    if (tokenizer.is_control(id) && id != unknown && !text.any_trusted) __builtin_trap();
  }
  if (exact && back != whole) __builtin_trap();
}

void check_built_in(const Text& text, bool has_mark) {
  using Family = TokenizerSpec::Family;
  static const auto bytes = made(byte_level());
  static const auto sentence = made(pieces(Family::kSentencePiece));
  static const auto unigram = made(pieces(Family::kUnigram));
  static const auto word = made(pieces(Family::kWordPiece));
  check(*bytes, text, -1, true);
  // ▁ in the text decodes to a space.
  check(*sentence, text, 0, !has_mark);
  check(*unigram, text, 0, !has_mark);
  check(*word, text, 0, false);
}

feilun::Result<TokenizerSpec> read(char kind, std::string_view file) {
  if (kind == 't') {
    auto spec = parse_tiktoken(file);
    if (spec) spec->pre = "kimi-k2";
    return spec;
  }
  if (kind == 'v') return parse_word_pieces(file, HuggingFaceObject());
  if (kind == 'p') {
    TokenizerSpec spec = byte_level();
    spec.words = {{.text = std::string(file)}};
    spec.normaliser = {{NormaliserStep::Kind::kReplacePattern, std::string(file), "<"}};
    spec.steps_are_complete = true;
    return spec;
  }
  const auto document = TRY(feilun::JsonDocument::parse(file));
  return read_tokenizer_json(HuggingFaceObject(document.root()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const char kind = input.empty() ? '\0' : input[0];
  if (kind != '{' && kind != 't' && kind != 'v' && kind != 'p') {
    check_built_in(Text(input), input.find("▁") != input.npos);
    return 0;
  }
  const size_t end = std::min(input.find('\0'), size);
  auto spec = read(kind, input.substr(kind == '{' ? 0 : 1, end - (kind == '{' ? 0 : 1)));
  if (!spec) return spec.error().message.empty() ? (__builtin_trap(), 0) : 0;
  const TokenId unknown = spec->unknown;
  const int rows = static_cast<int>(spec->tokens.size()) + 1;
  const auto tokenizer = make_tokenizer(std::move(*spec), rows);
  if (!tokenizer) return 0;
  check(**tokenizer, Text(input.substr(std::min(end + 1, size))), unknown, false);
  check(**tokenizer, Text("Once upon a time, 女孩\xff <c></s> a\u0301b 123"), unknown, false);
  return 0;
}
