#pragma once

#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "jinja/text.h"

namespace feilun::jinja {

/// Python's string operations; what comes out remembers its origin piece by piece.

enum class Side : uint8_t { kBoth, kLeft, kRight };
/// Removes whitespace, or the characters in `set`, from the ends.
Text strip(const Text& text, Side side, std::optional<std::string_view> set = std::nullopt);

inline constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();
/// Splits at a separator that is not empty, at most `limit` times, from the left or from the right.
std::vector<Text> split(const Text& text, std::string_view separator, size_t limit, bool from_right);
/// Splits at runs of whitespace; no piece is empty.
std::vector<Text> split_words(const Text& text, size_t limit, bool from_right);
std::vector<Text> split_lines(const Text& text, bool keep_ends);
Text replace(const Text& text, const Text& old, const Text& replacement, size_t limit);

Text upper(const Text& text);
Text lower(const Text& text);
Text capitalize(const Text& text);
Text swapcase(const Text& text);
/// Python's str.title: a letter after anything that is no letter starts a word.
Text title(const Text& text);
/// The `title` filter of Jinja: words start after blanks and the characters -([{<.
Text title_words(const Text& text);

}  // namespace feilun::jinja
