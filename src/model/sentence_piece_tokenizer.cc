#include "model/sentence_piece_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "model/tokenizer_unicode.h"

namespace feilun::model {
namespace {

constexpr std::string_view kSpaceMark = "\xe2\x96\x81";  // ▁

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t done = 0;
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, done)) {
    out += text.substr(done, at - done);
    out += to;
    done = at + from.size();
  }
  return out += text.substr(done);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// The byte that "<0x0A>" names, or -1.
int named_byte(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  const int high = hex_digit(piece[3]);
  const int low = hex_digit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(TokenizerSpec& spec)
    : pieces_(std::move(spec.tokens)),
      kinds_(spec.kinds),
      merges_(spec.merges.size()),
      unknown_(spec.unknown),
      bos_(spec.add_bos ? spec.bos : -1),
      dummy_prefix_(spec.dummy_prefix) {
  by_byte_.fill(-1);
  texts_.reserve(pieces_.size());
  for (size_t i = 0; i < pieces_.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    switch (kinds_[i]) {
      case TokenKind::kNormal:
        texts_.push_back(replaced(pieces_[i], kSpaceMark, " "));
        if (pieces_[i].empty()) break;
        by_piece_.try_emplace(pieces_[i], id);
        piece_bytes_max_ = std::max(piece_bytes_max_, pieces_[i].size());
        break;
      case TokenKind::kByte: {
        const int byte = named_byte(pieces_[i]);
        texts_.push_back(byte < 0 ? std::string() : std::string(1, static_cast<char>(byte)));
        if (byte >= 0) by_byte_[static_cast<size_t>(byte)] = id;
        break;
      }
      default:
        texts_.push_back(pieces_[i]);
        if (kinds_[i] == TokenKind::kUnused) break;
        added_.add(pieces_[i], id, kinds_[i] != TokenKind::kUserDefined);
    }
  }
}

Result<> SentencePieceTokenizer::check_bytes() const {
  for (size_t i = 0; i < pieces_.size(); ++i) {
    if (kinds_[i] == TokenKind::kByte && named_byte(pieces_[i]) < 0) {
      return fail(ErrorCode::kCorrupt, "token {} is a byte token but names no byte", i);
    }
  }
  return {};
}

void SentencePieceTokenizer::read_merges(const TokenizerSpec& spec) {
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const auto& [left, right] = spec.merges[rank];
    const auto a = by_piece_.find(left);
    const auto b = by_piece_.find(right);
    const auto merged = by_piece_.find(left + right);
    if (a == by_piece_.end() || b == by_piece_.end() || merged == by_piece_.end()) continue;
    merges_.insert(a->second, b->second, {static_cast<uint32_t>(rank), merged->second});
  }
}

void SentencePieceTokenizer::rank_scores(const std::vector<float>& scores) {
  std::vector<uint32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) { return scores[a] > scores[b]; });
  rank_.resize(scores.size());
  uint32_t rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    // Equal scores share a rank: between them the leftmost pair merges first.
    if (i > 0 && scores[order[i]] != scores[order[i - 1]]) ++rank;
    rank_[order[i]] = rank;
  }
}

Result<std::shared_ptr<const Tokenizer>> SentencePieceTokenizer::make(TokenizerSpec spec) {
  if (spec.merges.empty() && spec.scores.size() != spec.tokens.size()) {
    return fail(ErrorCode::kCorrupt, "the tokenizer has {} scores for {} tokens", spec.scores.size(),
                spec.tokens.size());
  }
  if (std::ranges::any_of(spec.scores, [](float score) { return std::isnan(score); })) {
    return fail(ErrorCode::kCorrupt, "a token's score is not a number");
  }
  std::shared_ptr<SentencePieceTokenizer> tokenizer(new SentencePieceTokenizer(spec));
  TRY(tokenizer->check_bytes());
  if (spec.merges.empty()) {
    tokenizer->rank_scores(spec.scores);
  } else {
    tokenizer->read_merges(spec);
  }
  return tokenizer;
}

void SentencePieceTokenizer::merge_by_rank(std::vector<BpeSymbol>& symbols) const {
  merge_symbols(symbols, [this](const BpeSymbol& left, const BpeSymbol& right) {
    return left.id < 0 || right.id < 0 ? nullptr : merges_.find(left.id, right.id);
  });
}

void SentencePieceTokenizer::merge_by_score(std::string_view text, std::vector<BpeSymbol>& symbols) const {
  BpeMerge merge;
  merge_symbols(symbols, [&](const BpeSymbol& left, const BpeSymbol& right) -> const BpeMerge* {
    const size_t size = left.size + right.size;
    if (size > piece_bytes_max_) return nullptr;
    const auto found = by_piece_.find(text.substr(left.begin, size));
    if (found == by_piece_.end()) return nullptr;
    merge = {rank_[static_cast<size_t>(found->second)], found->second};
    return &merge;
  });
}

bool SentencePieceTokenizer::append_symbol(std::string_view part, TokenId id,
                                           std::vector<TokenId>& out) const {
  if (id >= 0) {
    out.push_back(id);
    return true;
  }
  const bool all_bytes =
      std::ranges::all_of(part, [this](char c) { return by_byte_[static_cast<unsigned char>(c)] >= 0; });
  if (!all_bytes) return false;
  for (const char c : part) out.push_back(by_byte_[static_cast<unsigned char>(c)]);
  return true;
}

void SentencePieceTokenizer::encode_segment(std::string_view segment, std::vector<TokenId>& out) const {
  std::string text(dummy_prefix_ ? kSpaceMark : "");
  text += replaced(segment, " ", kSpaceMark);
  std::vector<BpeSymbol> symbols;
  for (size_t at = 0; at < text.size();) {
    const size_t size = std::max<size_t>(1, code_point_bytes(std::string_view(text).substr(at)));
    const auto found = by_piece_.find(std::string_view(text).substr(at, size));
    symbols.push_back({found == by_piece_.end() ? -1 : found->second, static_cast<uint32_t>(at),
                       static_cast<uint32_t>(size)});
    at += size;
  }
  if (rank_.empty()) {
    merge_by_rank(symbols);
  } else {
    merge_by_score(text, symbols);
  }
  bool was_unknown = false;
  for (int32_t i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[i].next) {
    const auto part = std::string_view(text).substr(symbols[i].begin, symbols[i].size);
    const bool known = append_symbol(part, symbols[i].id, out);
    // A run of unknown characters is one unknown token.
    if (!known && !was_unknown && unknown_ >= 0) out.push_back(unknown_);
    was_unknown = !known;
  }
}

std::vector<TokenId> SentencePieceTokenizer::encode(std::span<const PromptFragment> fragments) const {
  JoinedPrompt prompt(fragments);
  std::vector<TokenId> out;
  for (const PromptSegment& segment : added_.split(prompt)) {
    if (segment.token >= 0) {
      out.push_back(segment.token);
    } else {
      encode_segment(segment.text, out);
    }
  }
  return out;
}

std::string_view SentencePieceTokenizer::bytes(TokenId id) const {
  return is_control(id) ? std::string_view() : text(id);
}

std::string_view SentencePieceTokenizer::text(TokenId id) const {
  CHECK(id >= 0 && id < vocabulary_size());
  return texts_[static_cast<size_t>(id)];
}

bool SentencePieceTokenizer::is_control(TokenId id) const {
  CHECK(id >= 0 && id < vocabulary_size());
  const TokenKind kind = kinds_[static_cast<size_t>(id)];
  return kind == TokenKind::kControl || kind == TokenKind::kUnknown;
}

}  // namespace feilun::model
