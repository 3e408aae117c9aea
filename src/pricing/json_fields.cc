#include "pricing/json_fields.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace feilun::pricing {
namespace {

using simdjson::dom::element;

bool begins_number(char c) {
  return c == '-' || (c >= '0' && c <= '9');
}

bool continues_number(char c) {
  return begins_number(c) || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/// Puts quotes around every number of a valid JSON text: outside strings, nothing else begins with a digit
/// or a minus sign.
std::string quote_numbers(std::string_view text) {
  std::string quoted;
  quoted.reserve(text.size() + text.size() / 4);
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    if (text[at] == '"') {
      for (; text[end] != '"'; ++end) end += text[end] == '\\' ? 1 : 0;
      quoted.append(text.substr(at, ++end - at));
    } else if (begins_number(text[at])) {
      while (end < text.size() && continues_number(text[end])) ++end;
      quoted.append("\"").append(text.substr(at, end - at)).append("\"");
    } else {
      quoted.push_back(text[at]);
    }
    at = end;
  }
  return quoted;
}

}  // namespace

Result<JsonDocument> parse_json_with_written_numbers(std::string_view text) {
  // First as it is: only what is JSON has its strings and numbers where quote_numbers() looks for them.
  TRY(JsonDocument::parse(text));
  return JsonDocument::parse(quote_numbers(text));
}

std::unexpected<Error> fail_at(const std::string& path, Error error) {
  error.message = path + ": " + error.message;
  error.param = path;
  return std::unexpected(std::move(error));
}

Result<JsonFields> JsonFields::of(element element, std::string path) {
  simdjson::dom::object object;
  if (element.get(object)) return fail_at(path, "write an object here: {{\"…\": …}}");
  return JsonFields(object, std::move(path));
}

std::string JsonFields::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

std::optional<element> JsonFields::take(std::string_view name) {
  if (std::ranges::find(taken_, name) == taken_.end()) taken_.emplace_back(name);
  element found;
  if (object_.at_key(name).get(found)) return std::nullopt;
  return found;
}

Result<std::string_view> JsonFields::take_text(std::string_view name) {
  const auto found = take(name);
  std::string_view text;
  if (!found || found->get(text)) return fail_at(path_of(name), "is missing, or no string");
  return text;
}

Result<Decimal> JsonFields::take_decimal(std::string_view name) {
  const auto found = take(name);
  if (!found) return fail_at(path_of(name), "is missing");
  return read_decimal(*found, path_of(name));
}

Result<int64_t> JsonFields::take_count(std::string_view name) {
  const auto count = TRY(take_decimal(name)).to_count();
  if (!count) return fail_at(path_of(name), count.error());
  return *count;
}

Result<> JsonFields::finish() const {
  std::vector<std::string_view> seen;
  for (const auto& [key, value] : object_) {
    if (std::ranges::find(taken_, key) == taken_.end()) {
      return fail_at(path_of(key), "is no field here: there are {}", fmt::join(taken_, ", "));
    }
    if (std::ranges::find(seen, key) != seen.end()) return fail_at(path_of(key), "stands here twice");
    seen.push_back(key);
  }
  return {};
}

Result<Decimal> read_decimal(element element, const std::string& path) {
  std::string_view text;
  if (element.get(text)) return fail_at(path, "write a number here, such as \"0.3\"");
  auto number = Decimal::parse(text);
  if (!number) return fail_at(path, std::move(number).error());
  return *number;
}

Result<simdjson::dom::array> read_array(element element, const std::string& path) {
  simdjson::dom::array array;
  if (element.get(array)) return fail_at(path, "write a list here: […]");
  return array;
}

}  // namespace feilun::pricing
