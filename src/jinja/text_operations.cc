#include "jinja/text_operations.h"

#include <algorithm>
#include <utility>

#include "jinja/unicode.h"

namespace feilun::jinja {
namespace {

bool in_set(char32_t c, std::string_view set) {
  for (size_t at = 0; at < set.size();) {
    const CodePoint member = code_point_at(set, at);
    if (member.value == c) return true;
    at += member.size;
  }
  return false;
}

// Applies a mapping of characters; each result has the origin of its source.
template <typename Map>
Text mapped(const Text& text, Map map) {
  Text out;
  std::string piece;
  size_t at = 0;
  for (const Text::Run& run : text.runs()) {
    piece.clear();
    while (at < run.end) {
      const CodePoint c = code_point_at(text.bytes(), at);
      append_utf8(piece, map(c.value));
      at += c.size;
    }
    out.append(piece, run.trusted);
  }
  return out;
}

bool starts_with_at(std::string_view bytes, size_t at, std::string_view prefix) {
  return bytes.substr(at).starts_with(prefix);
}

}  // namespace

Text strip(const Text& text, Side side, std::optional<std::string_view> set) {
  const std::string_view bytes = text.bytes();
  const auto goes = [&](char32_t c) { return set ? in_set(c, *set) : is_space(c); };
  size_t begin = 0;
  size_t end = bytes.size();
  while (side != Side::kRight && begin < end) {
    const CodePoint c = code_point_at(bytes, begin);
    if (!goes(c.value)) break;
    begin += c.size;
  }
  while (side != Side::kLeft && end > begin) {
    const CodePoint c = code_point_before(bytes, end);
    if (!goes(c.value)) break;
    end -= c.size;
  }
  return text.slice(begin, end);
}

Result<void> split(const Text& text, std::string_view separator, size_t limit, bool from_right,
                   const TakePiece& take) {
  const std::string_view bytes = text.bytes();
  size_t begin = 0;
  size_t end = bytes.size();
  for (size_t count = 0; count < limit && end - begin >= separator.size(); ++count) {
    const size_t found =
        from_right ? bytes.rfind(separator, end - separator.size()) : bytes.find(separator, begin);
    if (found == bytes.npos) break;
    const size_t after = found + separator.size();
    TRY(take(from_right ? text.slice(after, end) : text.slice(begin, found)));
    (from_right ? end : begin) = from_right ? found : after;
  }
  return take(text.slice(begin, end));
}

Result<void> split_words(const Text& text, size_t limit, bool from_right, const TakePiece& take) {
  const Side near = from_right ? Side::kRight : Side::kLeft;
  Text rest = strip(text, near);
  // Word borders are found once; the unsplit rest is what lies beyond the last of them.
  const std::string_view view = rest.bytes();
  size_t begin = 0;
  size_t end = view.size();
  for (size_t count = 0; begin < end && count < limit; ++count) {
    size_t at = from_right ? end : begin;
    const auto next = [&] { return from_right ? code_point_before(view, at) : code_point_at(view, at); };
    const auto inside = [&] { return from_right ? at > begin : at < end; };
    const auto step = [&](size_t size) { at = from_right ? at - size : at + size; };
    while (inside() && !is_space(next().value)) step(next().size);
    TRY(take(from_right ? rest.slice(at, end) : rest.slice(begin, at)));
    while (inside() && is_space(next().value)) step(next().size);
    (from_right ? end : begin) = at;
  }
  if (begin == end) return {};
  const Text last = rest.slice(begin, end);
  return take(from_right ? strip(last, Side::kRight) : last);
}

Result<void> split_lines(const Text& text, bool keep_ends, const TakePiece& take) {
  const std::string_view bytes = text.bytes();
  size_t begin = 0;
  for (size_t at = 0; at < bytes.size();) {
    const CodePoint c = code_point_at(bytes, at);
    const size_t line_end = at;
    at += c.size;
    const bool breaks = (c.value >= 0x0A && c.value <= 0x0D) || (c.value >= 0x1C && c.value <= 0x1E) ||
                        c.value == 0x85 || c.value == 0x2028 || c.value == 0x2029;
    if (!breaks) continue;
    if (c.value == '\r' && starts_with_at(bytes, at, "\n")) ++at;
    TRY(take(text.slice(begin, keep_ends ? at : line_end)));
    begin = at;
  }
  return begin < bytes.size() ? take(text.slice(begin, bytes.size())) : Result<void>();
}

Text replace(const Text& text, const Text& old, const Text& replacement, size_t limit) {
  const std::string_view bytes = text.bytes();
  Text out;
  size_t begin = 0;
  if (old.empty()) {
    // The empty text lies before every character and at the end.
    for (size_t count = 0; count < limit; ++count) {
      out.append(replacement);
      if (begin >= bytes.size()) return out;
      const size_t next = begin + code_point_at(bytes, begin).size;
      out.append(text, begin, next);
      begin = next;
    }
  }
  for (size_t count = 0; count < limit && !old.empty(); ++count) {
    const size_t found = bytes.find(old.bytes(), begin);
    if (found == bytes.npos) break;
    out.append(text, begin, found);
    out.append(replacement);
    begin = found + old.size();
  }
  out.append(text, begin, bytes.size());
  return out;
}

Text upper(const Text& text) {
  // The letters that become several in capitals.
  static constexpr std::pair<std::string_view, std::string_view> kExpanding[] = {
      {"ß", "SS"}, {"ŉ", "ʼN"},  {"ǰ", "J̌"},   {"ﬀ", "FF"}, {"ﬁ", "FI"},
      {"ﬂ", "FL"}, {"ﬃ", "FFI"}, {"ﬄ", "FFL"}, {"ﬅ", "ST"}, {"ﬆ", "ST"}};
  Text expanded = text;
  for (const auto& [letter, capitals] : kExpanding) {
    size_t found = expanded.bytes().find(letter);
    if (found == std::string_view::npos) continue;
    Text out;
    size_t begin = 0;
    for (; found != std::string_view::npos; found = expanded.bytes().find(letter, begin)) {
      out.append(expanded, begin, found);
      out.append(capitals, expanded.trusted_at(found));
      begin = found + letter.size();
    }
    out.append(expanded, begin, expanded.size());
    expanded = std::move(out);
  }
  return mapped(expanded, to_upper);
}
Text lower(const Text& text) {
  return mapped(text, to_lower);
}

Text capitalize(const Text& text) {
  return mapped(text, [first = true](char32_t c) mutable {
    return std::exchange(first, false) ? to_upper(c) : to_lower(c);
  });
}

Text swapcase(const Text& text) {
  return mapped(text, [](char32_t c) { return is_upper(c) ? to_lower(c) : to_upper(c); });
}

Text title(const Text& text) {
  return mapped(text, [in_word = false](char32_t c) mutable {
    const char32_t result = in_word ? to_lower(c) : to_upper(c);
    in_word = is_upper(c) || is_lower(c);
    return result;
  });
}

Text title_words(const Text& text) {
  return mapped(text, [starts = true](char32_t c) mutable {
    const char32_t result = starts ? to_upper(c) : to_lower(c);
    starts = is_space(c) || in_set(c, "-([{<");
    return result;
  });
}

}  // namespace feilun::jinja
