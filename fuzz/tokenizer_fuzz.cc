// LINK: feilun_model
// Any text through both kinds of tokenizer, cut into trusted and untrusted fragments at 0x01 and 0x02: the
// bytes of the tokens are the text, and no control token comes from what is not trusted.
#include <cstdint>
#include <string>

#include "model/byte_level_alphabet.h"
#include "model/tokenizer_spec.h"

namespace {

using namespace feilun::model;

std::shared_ptr<const Tokenizer> byte_level() {
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
  return *make_tokenizer(std::move(spec), 300);
}

std::shared_ptr<const Tokenizer> pieces() {
  TokenizerSpec spec;
  spec.family = TokenizerSpec::Family::kSentencePiece;
  spec.tokens = {"<unk>", "<c>"};
  spec.kinds = {TokenKind::kUnknown, TokenKind::kControl};
  for (int i = 0; i < 256; ++i) {
    spec.tokens.push_back(fmt::format("<0x{:02X}>", i));
    spec.kinds.push_back(TokenKind::kByte);
  }
  for (const char* piece : {"▁", "a", "b", "ab", "▁a", "▁ab", "▁▁", "abab"}) {
    spec.tokens.emplace_back(piece);
    spec.kinds.push_back(TokenKind::kNormal);
  }
  for (size_t i = 0; i < spec.tokens.size(); ++i) spec.scores.push_back(-static_cast<float>(i));
  spec.unknown = 0;
  return *make_tokenizer(std::move(spec), 300);
}

void check(const Tokenizer& tokenizer, const std::vector<PromptFragment>& fragments, bool any_trusted,
           bool exact) {
  std::string text;
  std::string back;
  for (const PromptFragment& fragment : fragments) text += fragment.text;
  for (const TokenId id : tokenizer.encode(fragments)) {
    if (tokenizer.is_control(id) && !any_trusted) __builtin_trap();
    back += tokenizer.text(id);
  }
  if (exact && back != text) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto bytes_tokenizer = byte_level();
  static const auto piece_tokenizer = pieces();
  std::vector<PromptFragment> fragments(1);
  bool any_trusted = false;
  for (size_t i = 0; i < size; ++i) {
    const bool cut = data[i] == 1 || data[i] == 2;
    if (cut) {
      fragments.push_back({"", data[i] == 1});
      any_trusted = any_trusted || data[i] == 1;
    } else {
      fragments.back().text += static_cast<char>(data[i]);
    }
  }
  check(*bytes_tokenizer, fragments, any_trusted, true);
  // ▁ in the text decodes to a space.
  const bool exact =
      std::string_view(reinterpret_cast<const char*>(data), size).find("▁") == std::string_view::npos;
  check(*piece_tokenizer, fragments, any_trusted, exact);
  return 0;
}
