#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "pricing/decimal.h"

namespace feilun::pricing {

/// A JSON text in which every number has become the string that was written, so that "0.3" and 0.3 are read
/// alike and neither passes through floating point.
Result<JsonDocument> parse_json_with_written_numbers(std::string_view text);

/// kInvalidArgument at the field `path`: "tiers.batch: …".
template <typename... Args>
std::unexpected<Error> fail_at(const std::string& path, fmt::format_string<Args...> format, Args&&... args) {
  const std::string message = fmt::format(format, std::forward<Args>(args)...);
  return std::unexpected(
      Error{ErrorCode::kInvalidArgument, path.empty() ? message : path + ": " + message, path});
}
/// An error about a field's value, with the field's path put before it.
std::unexpected<Error> fail_at(const std::string& path, Error error);

/// The fields of one JSON object that a person wrote, each taken once by its name. What nobody took is a
/// misspelling, and finish() says so. `path` names the object in errors: "length_tiers[0]", "" for the whole.
class JsonFields {
 public:
  static Result<JsonFields> of(simdjson::dom::element element, std::string path);

  std::string path_of(std::string_view name) const;
  std::optional<simdjson::dom::element> take(std::string_view name);
  Result<std::string_view> take_text(std::string_view name);
  Result<Decimal> take_decimal(std::string_view name);
  Result<int64_t> take_count(std::string_view name);
  Result<> finish() const;

 private:
  JsonFields(simdjson::dom::object object, std::string path) : object_(object), path_(std::move(path)) {}

  simdjson::dom::object object_;
  std::string path_;
  std::vector<std::string> taken_;
};

/// The Decimal that a JSON string holds.
Result<Decimal> read_decimal(simdjson::dom::element element, const std::string& path);
/// The elements of a JSON array.
Result<simdjson::dom::array> read_array(simdjson::dom::element element, const std::string& path);

}  // namespace feilun::pricing
