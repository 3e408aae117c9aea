#include "jinja/methods.h"

#include <algorithm>

#include "jinja/compare.h"
#include "jinja/sequence.h"
#include "jinja/text_operations.h"
#include "jinja/unicode.h"

namespace feilun::jinja {
namespace {

/// The list of what `cut` takes from a text.
template <typename Cut>
Result<Value> pieces(Heap& heap, bool from_right, const Cut& cut) {
  std::vector<Value> items;
  TRY(cut([&](Text piece) -> Result<void> {
    items.push_back(TRY(heap.text(std::move(piece))));
    return {};
  }));
  if (from_right) std::ranges::reverse(items);
  return heap.list(std::move(items));
}

size_t limit_of(int64_t count) {
  return count < 0 ? kUnlimited : static_cast<size_t>(count);
}

template <Side side>
Result<Value> strip_method(Invocation& call) {
  std::optional<std::string_view> set;
  if (call.has(0) && !call.at(0).is_none()) set = TRY(call.text(0))->bytes();
  if (set) TRY(call.heap().spend_work(set->size() * call.self.as_text().size() / 16));
  return call.heap().text(strip(call.self.as_text(), side, set));
}

template <bool from_right>
Result<Value> split_method(Invocation& call) {
  const size_t limit = limit_of(TRY(call.integer(1, -1)));
  const Text& self = call.self.as_text();
  if (!call.has(0) || call.at(0).is_none()) {
    TRY(call.heap().spend_memory(self.size()));  // the text without the whitespace before or after it
    return pieces(call.heap(), from_right,
                  [&](const TakePiece& take) { return split_words(self, limit, from_right, take); });
  }
  const std::string_view separator = TRY(call.text(0))->bytes();
  if (separator.empty()) return fail(ErrorCode::kInvalidArgument, "the separator to split at is empty");
  return pieces(call.heap(), from_right,
                [&](const TakePiece& take) { return split(self, separator, limit, from_right, take); });
}

template <bool from_right>
Result<Value> partition(Invocation& call) {
  const Text& self = call.self.as_text();
  const Text* separator = TRY(call.text(0));
  if (separator->empty()) return fail(ErrorCode::kInvalidArgument, "the separator to split at is empty");
  const size_t at =
      from_right ? self.bytes().rfind(separator->bytes()) : self.bytes().find(separator->bytes());
  const bool found = at != std::string_view::npos;
  const size_t begin = found ? at : from_right ? 0 : self.size();
  const size_t end = found ? at + separator->size() : begin;
  std::vector<Value> parts;
  for (const auto& [from, to] : {std::pair{size_t{0}, begin}, {begin, end}, {end, self.size()}}) {
    parts.push_back(TRY(call.heap().text(self.slice(from, to))));
  }
  return call.heap().list(std::move(parts), List::Type::kTuple);
}

// The part of the text that start and end arguments (in characters) leave, and where it begins.
struct Window {
  size_t begin = 0;
  size_t end = 0;
};
Result<Window> window(const Invocation& call, size_t first) {
  const std::string_view bytes = call.self.bytes();
  const auto length = static_cast<int64_t>(count_code_points(bytes));
  const auto place = [&](int64_t i) {
    return static_cast<size_t>(std::clamp<int64_t>(i < 0 ? i + length : i, 0, length));
  };
  const size_t start = place(TRY(call.integer(first, 0)));
  const size_t end = place(TRY(call.integer(first + 1, length)));
  return Window{byte_of_code_point(bytes, start), byte_of_code_point(bytes, std::max(start, end))};
}

template <bool at_end>
Result<Value> starts_or_ends(Invocation& call) {
  const Window range = TRY(window(call, 1));
  const std::string_view part = call.self.bytes().substr(range.begin, range.end - range.begin);
  std::vector<Value> candidates = {call.at(0)};
  if (call.at(0).is_list() && call.at(0).as_list().type == List::Type::kTuple)
    candidates = call.at(0).as_list().items;
  for (const Value& candidate : candidates) {
    if (!candidate.is_text())
      return fail(ErrorCode::kInvalidArgument, "expected a string, not a {}", type_name(candidate));
    if (at_end ? part.ends_with(candidate.bytes()) : part.starts_with(candidate.bytes())) return Value(true);
  }
  return Value(false);
}

template <bool from_right, bool must_find>
Result<Value> find_method_of_text(Invocation& call) {
  const Text* needle = TRY(call.text(0));
  const Window range = TRY(window(call, 1));
  const std::string_view part = call.self.bytes().substr(range.begin, range.end - range.begin);
  const size_t at = from_right ? part.rfind(needle->bytes()) : part.find(needle->bytes());
  if (at == part.npos) {
    if (must_find) return fail(ErrorCode::kInvalidArgument, "the text does not contain what was looked for");
    return Value::integer(-1);
  }
  return Value::integer(
      static_cast<Integer>(count_code_points(call.self.bytes().substr(0, range.begin + at))));
}

Result<Value> count_in_text(Invocation& call) {
  const Text* needle = TRY(call.text(0));
  const std::string_view bytes = call.self.bytes();
  if (needle->empty()) return Value::integer(static_cast<Integer>(count_code_points(bytes)) + 1);
  Integer count = 0;
  for (size_t at = bytes.find(needle->bytes()); at != bytes.npos;
       at = bytes.find(needle->bytes(), at + needle->size()))
    ++count;
  return Value::integer(count);
}

// How much text a replacement makes is known only by counting first.
Result<Value> replace_method(Invocation& call) {
  const Text* old = TRY(call.text(0));
  const Text* replacement = TRY(call.text(1));
  const size_t limit = limit_of(TRY(call.integer(2, -1)));
  const Text& self = call.self.as_text();
  const size_t pieces = std::min(limit, old->empty() ? self.size() + 1 : self.size() / old->size());
  size_t found = old->empty() ? pieces : 0;
  for (size_t at = 0; !old->empty() && found < pieces &&
                      (at = self.bytes().find(old->bytes(), at)) != std::string_view::npos;
       at += old->size()) {
    ++found;
  }
  TRY(call.heap().spend_memory(found * (replacement->memory() + 2 * sizeof(Text::Run))));
  return call.heap().text(replace(self, *old, *replacement, limit));
}

template <bool from_end>
Result<Value> remove_affix(Invocation& call) {
  const Text& self = call.self.as_text();
  const std::string_view affix = TRY(call.text(0))->bytes();
  if (from_end ? !self.bytes().ends_with(affix) : !self.bytes().starts_with(affix)) return call.self;
  return call.heap().text(from_end ? self.slice(0, self.size() - affix.size())
                                   : self.slice(affix.size(), self.size()));
}

template <auto Operation>
Result<Value> mapped_method(Invocation& call) {
  return call.heap().text(Operation(call.self.as_text()));
}

template <auto Holds>
Result<Value> every_character(Invocation& call) {
  const std::string_view bytes = call.self.bytes();
  for (size_t at = 0; at < bytes.size();) {
    const CodePoint c = code_point_at(bytes, at);
    if (!Holds(c.value)) return Value(false);
    at += c.size;
  }
  return Value(!bytes.empty());
}

template <auto Wanted, auto Other>
Result<Value> cased(Invocation& call) {
  const std::string_view bytes = call.self.bytes();
  bool found = false;
  for (size_t at = 0; at < bytes.size();) {
    const CodePoint c = code_point_at(bytes, at);
    if (Other(c.value)) return Value(false);
    found = found || Wanted(c.value);
    at += c.size;
  }
  return Value(found);
}

Result<Value> join_method(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.at(0)));
  Text joined;
  for (size_t i = 0; i < items->size(); ++i) {
    const Value& item = (*items)[i];
    if (!item.is_text())
      return fail(ErrorCode::kInvalidArgument, "only strings can be joined, not a {}", type_name(item));
    TRY(call.heap().spend_memory(call.self.as_text().size() + item.as_text().size()));
    if (i > 0) joined.append(call.self.as_text());
    joined.append(item.as_text());
  }
  return call.heap().text(std::move(joined));
}

enum class Align : uint8_t { kLeft, kRight, kCenter };
template <Align align>
Result<Value> justify(Invocation& call) {
  const Text& self = call.self.as_text();
  const int64_t width = TRY(call.integer(0, 0));
  const Text blank(" ", true);
  const Text& fill = call.has(1) ? *TRY(call.text(1)) : blank;
  if (count_code_points(fill.bytes()) != 1)
    return fail(ErrorCode::kInvalidArgument, "the fill must be one character");
  const auto length = static_cast<int64_t>(count_code_points(self.bytes()));
  if (width <= length) return call.self;
  const auto missing = static_cast<size_t>(width - length);
  TRY(call.heap().spend_memory(missing * fill.size()));
  // Python puts the odd blank of a centred text on the left when the width is odd.
  const size_t center = missing / 2 + (missing & static_cast<size_t>(width) & 1);
  const size_t left = align == Align::kLeft ? 0 : align == Align::kRight ? missing : center;
  Text padded;
  for (size_t i = 0; i < left; ++i) padded.append(fill);
  padded.append(self);
  for (size_t i = left; i < missing; ++i) padded.append(fill);
  return call.heap().text(std::move(padded));
}

Result<Value> zfill(Invocation& call) {
  const Text& self = call.self.as_text();
  const int64_t width = TRY(call.integer(0, 0));
  const auto length = static_cast<int64_t>(count_code_points(self.bytes()));
  if (width <= length) return call.self;
  TRY(call.heap().spend_memory(static_cast<uint64_t>(width - length)));
  const size_t sign = self.bytes().starts_with('-') || self.bytes().starts_with('+');
  Text filled = self.slice(0, sign);
  filled.append(std::string(static_cast<size_t>(width - length), '0'), true);
  filled.append(self, sign, self.size());
  return call.heap().text(std::move(filled));
}

Result<Value> dict_items(Invocation& call) {
  std::vector<Value> pairs;
  for (const auto& [key, value] : call.self.as_dict().entries) {
    pairs.push_back(TRY(call.heap().list({key, value}, List::Type::kTuple)));
  }
  return call.heap().list(std::move(pairs), List::Type::kView);
}

template <bool keys>
Result<Value> dict_part(Invocation& call) {
  std::vector<Value> part;
  for (const auto& [key, value] : call.self.as_dict().entries) part.push_back(keys ? key : value);
  return call.heap().list(std::move(part), List::Type::kView);
}

Result<Value> dict_get(Invocation& call) {
  const DictKey key = TRY(dict_key(call.at(0)));
  const Value* value = call.self.as_dict().find(key);
  if (value != nullptr) return *value;
  return call.has(1) ? call.at(1) : Value::none();
}

Result<Value> dict_copy(Invocation& call) {
  const Value copy = TRY(call.heap().dict());
  for (const auto& [key, value] : call.self.as_dict().entries)
    TRY(call.heap().set(copy.as_dict(), key, value));
  return copy;
}

Result<Value> list_count(Invocation& call) {
  Integer count = 0;
  for (const Value& item : call.self.as_list().items) {
    const bool same = TRY(equal(call.heap(), item, call.at(0)));
    count += same;
  }
  return Value::integer(count);
}

Result<Value> list_index(Invocation& call) {
  const auto& items = call.self.as_list().items;
  for (size_t i = 0; i < items.size(); ++i) {
    const bool same = TRY(equal(call.heap(), items[i], call.at(0)));
    if (same) return Value::integer(static_cast<Integer>(i));
  }
  return fail(ErrorCode::kInvalidArgument, "the list does not contain the value");
}

Result<Value> list_copy(Invocation& call) {
  return call.heap().list(call.self.as_list().items);
}

const std::vector<Builtin>& text_methods() {
  static const std::vector<Builtin> kMethods = {
      {"strip", {"chars"}, 0, strip_method<Side::kBoth>},
      {"lstrip", {"chars"}, 0, strip_method<Side::kLeft>},
      {"rstrip", {"chars"}, 0, strip_method<Side::kRight>},
      {"split", {"sep", "maxsplit"}, 0, split_method<false>},
      {"rsplit", {"sep", "maxsplit"}, 0, split_method<true>},
      {"splitlines",
       {"keepends"},
       0,
       [](Invocation& c) -> Result<Value> {
         return pieces(c.heap(), false, [&](const TakePiece& take) {
           return split_lines(c.self.as_text(), c.flag(0, false), take);
         });
       }},
      {"partition", {"sep"}, 1, partition<false>},
      {"rpartition", {"sep"}, 1, partition<true>},
      {"startswith", {"prefix", "start", "end"}, 1, starts_or_ends<false>},
      {"endswith", {"suffix", "start", "end"}, 1, starts_or_ends<true>},
      {"find", {"sub", "start", "end"}, 1, find_method_of_text<false, false>},
      {"rfind", {"sub", "start", "end"}, 1, find_method_of_text<true, false>},
      {"index", {"sub", "start", "end"}, 1, find_method_of_text<false, true>},
      {"rindex", {"sub", "start", "end"}, 1, find_method_of_text<true, true>},
      {"count", {"sub"}, 1, count_in_text},
      {"replace", {"old", "new", "count"}, 2, replace_method},
      {"removeprefix", {"prefix"}, 1, remove_affix<false>},
      {"removesuffix", {"suffix"}, 1, remove_affix<true>},
      {"upper", {}, 0, mapped_method<upper>},
      {"lower", {}, 0, mapped_method<lower>},
      {"casefold", {}, 0, mapped_method<lower>},
      {"title", {}, 0, mapped_method<title>},
      {"capitalize", {}, 0, mapped_method<capitalize>},
      {"swapcase", {}, 0, mapped_method<swapcase>},
      {"isdigit", {}, 0, every_character<is_digit>},
      {"isdecimal", {}, 0, every_character<is_digit>},
      {"isnumeric", {}, 0, every_character<is_digit>},
      {"isalpha", {}, 0, every_character<is_alpha>},
      {"isalnum", {}, 0, every_character<[](char32_t c) { return is_alpha(c) || is_digit(c); }>},
      {"isspace", {}, 0, every_character<is_space>},
      {"isupper", {}, 0, cased<is_upper, is_lower>},
      {"islower", {}, 0, cased<is_lower, is_upper>},
      {"join", {"iterable"}, 1, join_method},
      {"ljust", {"width", "fillchar"}, 1, justify<Align::kLeft>},
      {"rjust", {"width", "fillchar"}, 1, justify<Align::kRight>},
      {"center", {"width", "fillchar"}, 1, justify<Align::kCenter>},
      {"zfill", {"width"}, 1, zfill},
  };
  return kMethods;
}

const std::vector<Builtin>& dict_methods() {
  static const std::vector<Builtin> kMethods = {
      {"items", {}, 0, dict_items},        {"keys", {}, 0, dict_part<true>},
      {"values", {}, 0, dict_part<false>}, {"get", {"key", "default"}, 1, dict_get},
      {"copy", {}, 0, dict_copy},
  };
  return kMethods;
}

const std::vector<Builtin>& list_methods() {
  static const std::vector<Builtin> kMethods = {
      {"count", {"value"}, 1, list_count},
      {"index", {"value"}, 1, list_index},
      {"copy", {}, 0, list_copy},
  };
  return kMethods;
}

}  // namespace

const Builtin* find_method(const Value& object, std::string_view name) {
  if (object.is_text()) return find_builtin(text_methods(), name);
  if (object.is_dict()) return find_builtin(dict_methods(), name);
  if (object.is_list() && object.as_list().indexable()) return find_builtin(list_methods(), name);
  return nullptr;
}

}  // namespace feilun::jinja
