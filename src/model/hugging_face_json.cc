#include "model/hugging_face_json.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/mapped_file.h"

namespace feilun::model {
namespace {

constexpr size_t kJsonBytesMax = size_t{256} << 20;
constexpr size_t kExactDigits = 18;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Where the string that starts at `at` ends.
size_t after_string(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

/// Writes whole numbers of more than 64 bits as fractions: model_max_length is often 10³⁰, "no limit", which
/// is good JSON but no integer to the parser.
std::string with_wide_integers_as_fractions(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    if (text[at] == '"') end = after_string(text, at);
    const bool starts_number = is_digit(text[at]);
    while (starts_number && end < text.size() && is_digit(text[end])) ++end;
    out += text.substr(at, end - at);
    const char next = end < text.size() ? text[end] : '\0';
    const char before = at > 0 ? text[at - 1] : '\0';
    const bool whole = next != '.' && next != 'e' && next != 'E' && before != '.' && before != 'e' &&
                       before != 'E' && before != '+';
    if (starts_number && whole && end - at > kExactDigits) out += ".0";
    at = end;
  }
  return out;
}

}  // namespace

bool HuggingFaceObject::has(std::string_view key) const {
  return object_ && (*object_)[key].error() == simdjson::SUCCESS;
}

std::optional<HuggingFaceObject::Element> HuggingFaceObject::find(std::string_view key) const {
  Element found;
  if (!object_ || (*object_)[key].get(found) != simdjson::SUCCESS || found.is_null()) return std::nullopt;
  return found;
}

Result<std::optional<HuggingFaceObject>> HuggingFaceObject::object(std::string_view key) const {
  const auto found = find(key);
  if (!found) return std::nullopt;
  if (found->is_object()) return HuggingFaceObject(*found);
  return fail(ErrorCode::kCorrupt, "{} is not an object", key);
}

Result<std::optional<int>> HuggingFaceObject::integer(std::string_view key) const {
  const auto found = find(key);
  if (!found) return std::nullopt;
  int64_t value = 0;
  if (found->get(value) == simdjson::SUCCESS && value == static_cast<int>(value))
    return static_cast<int>(value);
  return fail(ErrorCode::kCorrupt, "{} is not a whole number", key);
}

Result<int> HuggingFaceObject::needed_integer(std::string_view key) const {
  const auto value = TRY(integer(key));
  if (!value) return fail(ErrorCode::kCorrupt, "config.json does not say {}", key);
  return *value;
}

Result<std::optional<float>> HuggingFaceObject::number(std::string_view key) const {
  const auto found = find(key);
  if (!found) return std::nullopt;
  double value = 0;
  const bool read = found->get(value) == simdjson::SUCCESS;
  if (read && std::fabs(value) <= std::numeric_limits<float>::max()) return static_cast<float>(value);
  return fail(ErrorCode::kCorrupt, "{} is not a number", key);
}

Result<std::optional<bool>> HuggingFaceObject::boolean(std::string_view key) const {
  const auto found = find(key);
  if (!found) return std::nullopt;
  bool value = false;
  if (found->get(value) == simdjson::SUCCESS) return value;
  return fail(ErrorCode::kCorrupt, "{} is neither true nor false", key);
}

Result<std::optional<std::string_view>> HuggingFaceObject::string(std::string_view key) const {
  const auto found = find(key);
  if (!found) return std::nullopt;
  std::string_view value;
  if (found->get(value) == simdjson::SUCCESS) return value;
  return fail(ErrorCode::kCorrupt, "{} is not a string", key);
}

Result<JsonDocument> read_json_file(const std::filesystem::path& path) {
  const std::string text = TRY(read_text_file(path, kJsonBytesMax));
  auto document = JsonDocument::parse(with_wide_integers_as_fractions(text));
  if (!document) {
    return fail(ErrorCode::kCorrupt, "{} is {}", path.filename().string(), document.error().message);
  }
  if (!document->root().is_object()) {
    return fail(ErrorCode::kCorrupt, "{} is not a JSON object", path.filename().string());
  }
  return document;
}

}  // namespace feilun::model
