#include "model/sentence_piece.h"

#include <algorithm>
#include <cmath>

namespace feilun::model {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// ▁ only at the beginning.
bool begins_with_marks(std::string_view piece) {
  while (piece.starts_with(kSpaceMark)) piece.remove_prefix(kSpaceMark.size());
  return piece.find(kSpaceMark) == piece.npos;
}

}  // namespace

std::string without_space_marks(std::string_view piece) {
  std::string out;
  size_t done = 0;
  for (size_t at = piece.find(kSpaceMark); at != piece.npos; at = piece.find(kSpaceMark, done)) {
    out += piece.substr(done, at - done);
    out += ' ';
    done = at + kSpaceMark.size();
  }
  return out += piece.substr(done);
}

int named_byte(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  const int high = hex_digit(piece[3]);
  const int low = hex_digit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

ByteTokens::ByteTokens(const TokenizerPieces& pieces) {
  by_byte_.fill(-1);
  for (size_t i = 0; i < pieces.pieces.size(); ++i) {
    if (pieces.kinds[i] != TokenKind::kByte) continue;
    const int byte = named_byte(pieces.pieces[i]);
    if (byte >= 0) by_byte_[static_cast<size_t>(byte)] = static_cast<TokenId>(i);
  }
}

bool ByteTokens::has_all(std::string_view bytes) const {
  return std::ranges::all_of(bytes, [this](char c) { return token(c) >= 0; });
}

PieceTable piece_table(const TokenizerPieces& pieces) {
  PieceTable table(pieces.pieces, pieces.pieces.size());
  for (size_t i = 0; i < pieces.pieces.size(); ++i) {
    if (pieces.kinds[i] == TokenKind::kNormal && !pieces.pieces[i].empty())
      table.insert(static_cast<TokenId>(i));
  }
  return table;
}

Result<> check_byte_tokens(const TokenizerPieces& pieces) {
  for (size_t i = 0; i < pieces.pieces.size(); ++i) {
    if (pieces.kinds[i] == TokenKind::kByte && named_byte(pieces.pieces[i]) < 0) {
      return fail(ErrorCode::kCorrupt, "token {} is a byte token but names no byte", i);
    }
  }
  return {};
}

Result<> check_scores(const TokenizerSpec& spec, const TokenizerPieces& pieces) {
  if (spec.scores.size() != pieces.pieces.size()) {
    return fail(ErrorCode::kCorrupt, "the tokenizer has {} scores for {} tokens", spec.scores.size(),
                pieces.pieces.size());
  }
  if (std::ranges::any_of(spec.scores, [](float score) { return std::isnan(score); })) {
    return fail(ErrorCode::kCorrupt, "a token's score is not a number");
  }
  return {};
}

bool words_begin_with_marks(const TokenizerPieces& pieces) {
  bool has_mark = false;
  for (size_t i = 0; i < pieces.pieces.size(); ++i) {
    if (pieces.kinds[i] != TokenKind::kNormal) continue;
    if (!begins_with_marks(pieces.pieces[i])) return false;
    has_mark = has_mark || pieces.pieces[i] == kSpaceMark;
  }
  return has_mark;
}

}  // namespace feilun::model
