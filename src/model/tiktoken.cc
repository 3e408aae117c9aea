#include "model/tiktoken.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <unordered_set>

#include "model/byte_level_alphabet.h"
#include "model/hugging_face_vocabulary.h"

namespace feilun::model {
namespace {

/// A token is tried at every place where it could be cut in two.
constexpr size_t kTokenBytesMax = 256;

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > kTokenBytesMax * 4 / 3 + 4) return std::nullopt;
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count >= 8) out += static_cast<char>(bits >> (count -= 8));
    bits &= (1u << count) - 1;
  }
  return out;
}

struct Rank {
  std::string token;
  int64_t rank = -1;
};

std::optional<Rank> parse_line(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == line.npos) return std::nullopt;
  auto token = from_base64(line.substr(0, space));
  int64_t rank = -1;
  const std::string_view digits = line.substr(space + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
  if (!token || token->empty() || error != std::errc() || end != digits.data() + digits.size())
    return std::nullopt;
  return Rank{std::move(*token), rank};
}

/// Languages need two or three a token; the work and the memory of more would grow with the tokens' lengths.
constexpr size_t kMergesPerTokenMax = 16;

Result<> add_merges(const std::vector<std::string>& tokens, TokenizerSpec& spec) {
  const std::unordered_set<std::string_view> known(tokens.begin(), tokens.end());
  for (const std::string& token : tokens) {
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const std::string_view left = std::string_view(token).substr(0, cut);
      const std::string_view right = std::string_view(token).substr(cut);
      if (!known.contains(left) || !known.contains(right)) continue;
      if (spec.merges.size() == kMergesPerTokenMax * known.size()) {
        return fail(ErrorCode::kCorrupt, "the rank file's {} tokens have more than {} merges", known.size(),
                    spec.merges.size());
      }
      spec.merges.emplace_back(to_printable_bytes(left), to_printable_bytes(right));
    }
  }
  return {};
}

}  // namespace

Result<TokenizerSpec> parse_tiktoken(std::string_view text) {
  TokenizerSpec spec;
  spec.family = TokenizerSpec::Family::kByteLevel;
  spec.ranks_are_ids = true;
  std::vector<std::string> tokens;
  const auto lines = static_cast<size_t>(std::ranges::count(text, '\n')) + 1;
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at = end + 1;
    ++number;
    if (line.empty()) continue;
    auto rank = parse_line(line);
    if (!rank)
      return fail(ErrorCode::kCorrupt, "line {} of the rank file is not a token and its rank", number);
    TRY(set_token(spec, lines, rank->rank, to_printable_bytes(rank->token), TokenKind::kNormal));
    if (static_cast<size_t>(rank->rank) >= tokens.size()) tokens.resize(static_cast<size_t>(rank->rank) + 1);
    tokens[static_cast<size_t>(rank->rank)] = std::move(rank->token);
  }
  if (tokens.empty()) return fail(ErrorCode::kCorrupt, "the rank file has no tokens");
  TRY(add_merges(tokens, spec));
  return spec;
}

}  // namespace feilun::model
