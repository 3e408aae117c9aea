#include <algorithm>

#include "jinja/arithmetic.h"
#include "jinja/filters.h"
#include "jinja/json_value.h"
#include "jinja/methods.h"
#include "jinja/print.h"
#include "jinja/text_operations.h"
#include "jinja/unicode.h"

namespace feilun::jinja {
namespace {

template <auto Operation>
Result<Value> mapped_filter(Invocation& call) {
  const Value text = TRY(to_text(call.heap(), call.self));
  return call.heap().text(Operation(text.as_text()));
}

// A filter that is a string's method, applied to whatever the value prints as.
template <const char* name>
Result<Value> method_filter(Invocation& call) {
  const Value text = TRY(to_text(call.heap(), call.self));
  return invoke(*find_method(text, name), call.context, text, call.raw);
}

Result<Value> replace_filter(Invocation& call) {
  const Value text = TRY(to_text(call.heap(), call.self));
  Arguments arguments;
  for (size_t i = 0; i < 2; ++i) arguments.positional.push_back(TRY(to_text(call.heap(), call.at(i))));
  if (call.has(2)) arguments.positional.push_back(call.at(2));
  return invoke(*find_method(text, "replace"), call.context, text, arguments);
}

constexpr char kStrip[] = "strip";

Result<Value> center(Invocation& call) {
  const Value text = TRY(to_text(call.heap(), call.self));
  const int64_t width = TRY(call.integer(0, 80));
  const Arguments arguments{.positional = {Value::integer(width)}};
  return invoke(*find_method(text, "center"), call.context, text, arguments);
}

Result<Value> tojson(Invocation& call) {
  JsonStyle style;
  style.ensure_ascii = call.flag(0, false);
  style.indent = static_cast<int>(std::clamp<int64_t>(TRY(call.integer(1, -1)), -1, 64));
  if (call.has(2) && call.at(2).is_list() && call.at(2).as_list().items.size() == 2) {
    const auto& separators = call.at(2).as_list().items;
    if (!separators[0].is_text() || !separators[1].is_text()) {
      return fail(ErrorCode::kInvalidArgument, "the separators of tojson must be strings");
    }
    style.item_separator = separators[0].bytes();
    style.key_separator = separators[1].bytes();
    style.default_separators = false;
  }
  style.sort_keys = call.flag(3, false);
  return value_to_json(call.heap(), call.self, style);
}

Result<Value> indent(Invocation& call) {
  if (!call.self.is_text())
    return fail(ErrorCode::kInvalidArgument, "only a string can be indented, not a {}", type_name(call.self));
  const Text& subject = call.self.as_text();
  Text margin(std::string(4, ' '), true);
  if (call.has(0) && call.at(0).is_text()) {
    margin = call.at(0).as_text();
  } else {
    const int64_t width = std::clamp<int64_t>(TRY(call.integer(0, 4)), 0, 1000);
    margin = Text(std::string(static_cast<size_t>(width), ' '), true);
  }
  const bool first = call.flag(1, false);
  const bool blank = call.flag(2, false);
  TRY(call.heap().spend_memory(subject.size()));
  Text source = subject;
  source.append("\n", true);
  Text out;
  bool is_first = true;
  TRY(split_lines(source, false, [&](const Text& line) -> Result<void> {
    TRY(call.heap().spend_memory(1 + margin.size() + line.size() + 3 * sizeof(Text::Run)));
    if (!is_first) out.append("\n", true);
    if (is_first ? first : blank || !line.empty()) out.append(margin);
    out.append(line);
    is_first = false;
    return {};
  }));
  return call.heap().text(std::move(out));
}

Result<Value> format(Invocation& call) {
  const Value text = TRY(to_text(call.heap(), call.self));
  const Value values = TRY(call.heap().list(call.raw.positional, List::Type::kTuple));
  return format_percent(call.heap(), text.as_text(), values);
}

Result<Value> truncate(Invocation& call) {
  const Value subject = TRY(to_text(call.heap(), call.self));
  const Text& text = subject.as_text();
  const int64_t length = std::max<int64_t>(TRY(call.integer(0, 255)), 0);
  const Text ellipsis(call.has(2) ? TRY(call.text(2))->bytes() : "...", true);
  const int64_t leeway = TRY(call.integer(3, 5));
  const auto size = static_cast<int64_t>(count_code_points(text.bytes()));
  if (size <= length + leeway) return subject;
  const int64_t kept = length - static_cast<int64_t>(count_code_points(ellipsis.bytes()));
  if (kept < 0) return fail(ErrorCode::kInvalidArgument, "truncate cannot shorten to less than its ending");
  Text shortened = text.slice(0, byte_of_code_point(text.bytes(), static_cast<size_t>(kept)));
  if (!call.flag(1, false)) {
    const size_t blank = shortened.bytes().rfind(' ');
    if (blank != std::string_view::npos) shortened = shortened.slice(0, blank);
  }
  shortened.append(ellipsis);
  return call.heap().text(std::move(shortened));
}

Result<Value> wordcount(Invocation& call) {
  const Value subject = TRY(to_text(call.heap(), call.self));
  const std::string_view text = subject.bytes();
  Integer count = 0;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    const bool letter = c.value == '_' || is_alpha(c.value) || is_digit(c.value);
    count += letter && !in_word;
    in_word = letter;
    at += c.size;
  }
  return Value::integer(count);
}

Result<Value> escape(Invocation& call) {
  const Value subject = TRY(to_text(call.heap(), call.self));
  const Text& text = subject.as_text();
  Text out;
  TRY(call.heap().spend_memory(text.size() * 5));
  for (size_t at = 0; at < text.size(); ++at) {
    static constexpr std::pair<char, std::string_view> kEscapes[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&#34;"}, {'\'', "&#39;"}};
    const auto found =
        std::ranges::find(kEscapes, text.bytes()[at], &std::pair<char, std::string_view>::first);
    if (found == std::end(kEscapes)) {
      out.append(text, at, at + 1);
    } else {
      out.append(found->second, text.trusted_at(at));
    }
  }
  return call.heap().text(std::move(out));
}

}  // namespace

const std::vector<Builtin>& text_filters() {
  static const std::vector<Builtin> kFilters = {
      {"string", {}, 0, [](Invocation& c) { return to_text(c.heap(), c.self); }},
      {"safe", {}, 0, [](Invocation& c) { return to_text(c.heap(), c.self); }},
      {"upper", {}, 0, mapped_filter<upper>},
      {"lower", {}, 0, mapped_filter<lower>},
      {"capitalize", {}, 0, mapped_filter<capitalize>},
      {"title", {}, 0, mapped_filter<title_words>},
      {"trim", {"chars"}, 0, method_filter<kStrip>},
      {"replace", {"old", "new", "count"}, 2, replace_filter},
      {"center", {"width"}, 0, center},
      {"tojson", {"ensure_ascii", "indent", "separators", "sort_keys"}, 0, tojson},
      {"indent", {"width", "first", "blank"}, 0, indent},
      {"format", {}, 0, format, true},
      {"truncate", {"length", "killwords", "end", "leeway"}, 0, truncate},
      {"wordcount", {}, 0, wordcount},
      {"escape", {}, 0, escape},
      {"e", {}, 0, escape},
      {"forceescape", {}, 0, escape},
  };
  return kFilters;
}

}  // namespace feilun::jinja
