#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "jinja/text.h"

namespace feilun::jinja {

/// Python's string operations; what comes out remembers its origin piece by piece.

enum class Side : uint8_t { kBoth, kLeft, kRight };
/// Removes whitespace, or the characters in `set`, from the ends.
Text strip(const Text& text, Side side, std::optional<std::string_view> set = std::nullopt);

inline constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();
/// Takes the pieces of a text one by one: they may need far more memory than the text, and an error ends the
/// cutting before they do.
using TakePiece = std::function<Result<void>(Text piece)>;
/// Splits at a separator that is not empty, at most `limit` times; from the right, the last piece comes
/// first.
Result<void> split(const Text& text, std::string_view separator, size_t limit, bool from_right,
                   const TakePiece& take);
/// Splits at runs of whitespace; no piece is empty.
Result<void> split_words(const Text& text, size_t limit, bool from_right, const TakePiece& take);
Result<void> split_lines(const Text& text, bool keep_ends, const TakePiece& take);
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
