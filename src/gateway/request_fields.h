#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace feilun::gateway {

/// kInvalidArgument; `param` is the field, or the query's parameter, at fault.
template <typename... Args>
std::unexpected<Error> invalid(std::string_view param, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{ErrorCode::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...),
                               std::string(param)});
}

/// Reads typed fields of one JSON object of a request. A field that is absent or null reads as nullopt; a
/// wrong type or range is kInvalidArgument whose `param` is the field's path ("messages[2].content").
class RequestFields {
 public:
  explicit RequestFields(simdjson::dom::object object, std::string path = {})
      : object_(object), path_(std::move(path)) {}
  /// `what` names the element in the error when it is not an object.
  static Result<RequestFields> of(simdjson::dom::element element, std::string path, std::string_view what);

  /// nullopt when absent or null.
  std::optional<simdjson::dom::element> find(std::string_view name) const;
  Result<std::optional<std::string_view>> string(std::string_view name) const;
  Result<std::optional<bool>> boolean(std::string_view name) const;
  Result<std::optional<int64_t>> integer(std::string_view name, int64_t low, int64_t high) const;
  Result<std::optional<double>> number(std::string_view name, double low, double high) const;
  /// The number that a walk over the object has already found under `name`: looking a name up is linear.
  Result<double> number_in(simdjson::dom::element value, std::string_view name, double low,
                           double high) const;
  Result<std::optional<simdjson::dom::object>> object(std::string_view name) const;

  /// An error for a field that is none of these, or stands here twice.
  Result<> only(std::span<const std::string_view> known) const;

  std::string path_of(std::string_view name) const;
  /// An error that names a field of this object.
  Error error(ErrorCode code, std::string_view name, std::string message) const;
  std::unexpected<Error> wrong_type(std::string_view name, std::string_view expected) const;

 private:
  simdjson::dom::object object_;
  std::string path_;
};

/// "a string", "an array" …, for messages.
std::string_view type_name(simdjson::dom::element element);

}  // namespace feilun::gateway
