#include "model/byte_level_tokenizer.h"

#include "base/check.h"
#include "model/tokenizer_unicode.h"

namespace feilun::model {
namespace {

/// GPT-2's alphabet: a byte that prints as a Latin-1 character is that character; the others, in order, are
/// the characters from U+0100.
struct PrintableAlphabet {
  std::array<int, 256> rune = {};
  std::array<int, 0x144> byte = {};

  PrintableAlphabet() {
    byte.fill(-1);
    int next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool prints = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      rune[b] = prints ? b : next++;
      byte[rune[b]] = b;
    }
  }
};

const PrintableAlphabet& alphabet() {
  static const PrintableAlphabet instance;
  return instance;
}

bool is_added(TokenKind kind) {
  return kind == TokenKind::kControl || kind == TokenKind::kUserDefined || kind == TokenKind::kUnknown;
}

}  // namespace

std::string to_printable_bytes(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const int rune = alphabet().rune[static_cast<unsigned char>(c)];
    if (rune < 0x80) {
      out += static_cast<char>(rune);
    } else {
      out += static_cast<char>(0xc0 | rune >> 6);
      out += static_cast<char>(0x80 | (rune & 0x3f));
    }
  }
  return out;
}

std::string from_printable_bytes(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t size = std::max<size_t>(1, code_point_bytes(text));
    int rune = static_cast<unsigned char>(text[0]);
    if (size == 2) rune = (rune & 0x1f) << 6 | (static_cast<unsigned char>(text[1]) & 0x3f);
    const bool known =
        size <= 2 && rune < static_cast<int>(alphabet().byte.size()) && alphabet().byte[rune] >= 0;
    if (known && (size == 2 || rune < 0x80)) {
      out += static_cast<char>(alphabet().byte[rune]);
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  return out;
}

ByteLevelTokenizer::ByteLevelTokenizer(TokenizerSpec& spec, std::unique_ptr<PreTokenizer> words)
    : words_(std::move(words)),
      kinds_(spec.kinds),
      merges_(spec.merges.size()),
      unknown_(spec.unknown),
      bos_(spec.add_bos ? spec.bos : -1) {
  by_byte_.fill(-1);
  texts_.reserve(spec.tokens.size());
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    texts_.push_back(kinds_[i] == TokenKind::kNormal ? from_printable_bytes(spec.tokens[i]) : spec.tokens[i]);
  }
  for (size_t i = 0; i < texts_.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (is_added(kinds_[i])) added_.add(texts_[i], id, kinds_[i] != TokenKind::kUserDefined);
    if (kinds_[i] != TokenKind::kNormal) continue;
    by_text_.try_emplace(texts_[i], id);
    if (texts_[i].size() == 1) by_byte_[static_cast<unsigned char>(texts_[i][0])] = id;
  }
}

Result<> ByteLevelTokenizer::read_merges(const TokenizerSpec& spec) {
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const std::string left = from_printable_bytes(spec.merges[rank].first);
    const std::string right = from_printable_bytes(spec.merges[rank].second);
    const auto a = by_text_.find(left);
    const auto b = by_text_.find(right);
    const auto merged = by_text_.find(left + right);
    if (left.empty() || right.empty()) return fail(ErrorCode::kCorrupt, "merge {} has an empty side", rank);
    // Some makers list merges whose result they have removed from the vocabulary; those never apply.
    if (a == by_text_.end() || b == by_text_.end() || merged == by_text_.end()) continue;
    merges_.insert(a->second, b->second, {static_cast<uint32_t>(rank), merged->second});
  }
  return {};
}

Result<std::shared_ptr<const Tokenizer>> ByteLevelTokenizer::make(TokenizerSpec spec) {
  auto words = TRY(PreTokenizer::make(spec.pre));
  std::shared_ptr<ByteLevelTokenizer> tokenizer(new ByteLevelTokenizer(spec, std::move(words)));
  TRY(tokenizer->read_merges(spec));
  return tokenizer;
}

void ByteLevelTokenizer::encode_word(std::string_view word, std::vector<BpeSymbol>& symbols,
                                     std::vector<TokenId>& out) const {
  if (words_->prefers_whole_words()) {
    if (const auto whole = by_text_.find(word); whole != by_text_.end()) return out.push_back(whole->second);
  }
  symbols.clear();
  for (size_t i = 0; i < word.size(); ++i) {
    symbols.push_back({by_byte_[static_cast<unsigned char>(word[i])], static_cast<uint32_t>(i), 1});
  }
  merge_symbols(symbols, [this](const BpeSymbol& left, const BpeSymbol& right) {
    return left.id < 0 || right.id < 0 ? nullptr : merges_.find(left.id, right.id);
  });
  for (int32_t i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[i].next) {
    if (symbols[i].id >= 0) {
      out.push_back(symbols[i].id);
    } else if (unknown_ >= 0) {
      out.push_back(unknown_);
    }
  }
}

std::vector<TokenId> ByteLevelTokenizer::encode(std::span<const PromptFragment> fragments) const {
  JoinedPrompt prompt(fragments);
  std::vector<TokenId> out;
  std::vector<BpeSymbol> symbols;
  for (const PromptSegment& segment : added_.split(prompt)) {
    if (segment.token >= 0) {
      out.push_back(segment.token);
      continue;
    }
    const auto word = [&](std::string_view piece) { encode_word(piece, symbols, out); };
    if (words_->wants_nfc()) {
      words_->split(normalise_nfc(segment.text), word);
    } else {
      words_->split(segment.text, word);
    }
  }
  return out;
}

std::string_view ByteLevelTokenizer::bytes(TokenId id) const {
  return is_control(id) ? std::string_view() : text(id);
}

std::string_view ByteLevelTokenizer::text(TokenId id) const {
  CHECK(id >= 0 && id < vocabulary_size());
  return texts_[static_cast<size_t>(id)];
}

bool ByteLevelTokenizer::is_control(TokenId id) const {
  CHECK(id >= 0 && id < vocabulary_size());
  const TokenKind kind = kinds_[static_cast<size_t>(id)];
  return kind == TokenKind::kControl || kind == TokenKind::kUnknown;
}

}  // namespace feilun::model
