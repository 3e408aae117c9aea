#include "gateway/request_fields.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace feilun::gateway {

using simdjson::dom::element;
using simdjson::dom::element_type;

/// Beyond this a double no longer holds every integer.
constexpr double kExactDouble = 9007199254740992.0;

std::string_view type_name(element value) {
  switch (value.type()) {
    case element_type::ARRAY:
      return "an array";
    case element_type::OBJECT:
      return "an object";
    case element_type::STRING:
      return "a string";
    case element_type::BOOL:
      return "a boolean";
    case element_type::NULL_VALUE:
      return "null";
    case element_type::DOUBLE:
      return "a fractional number";
    default:
      return "an integer";
  }
}

Result<RequestFields> RequestFields::of(element value, std::string path, std::string_view what) {
  simdjson::dom::object object;
  if (value.get(object) != simdjson::SUCCESS) {
    return std::unexpected(Error{ErrorCode::kInvalidArgument,
                                 fmt::format("{} must be an object, not {}", what, type_name(value)), path});
  }
  return RequestFields(object, std::move(path));
}

std::string RequestFields::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

Error RequestFields::error(ErrorCode code, std::string_view name, std::string message) const {
  return Error{code, std::move(message), path_of(name)};
}

std::unexpected<Error> RequestFields::wrong_type(std::string_view name, std::string_view expected) const {
  const auto value = find(name);
  return std::unexpected(error(
      ErrorCode::kInvalidArgument, name,
      fmt::format("'{}' must be {}, not {}", path_of(name), expected, value ? type_name(*value) : "absent")));
}

Result<> RequestFields::only(std::span<const std::string_view> known) const {
  std::vector<std::string_view> seen;
  for (const auto& [name, value] : object_) {
    if (std::ranges::find(known, name) == known.end()) {
      return std::unexpected(
          error(ErrorCode::kInvalidArgument, name,
                fmt::format("'{}' is no field here: there are {}", path_of(name), fmt::join(known, ", "))));
    }
    if (std::ranges::find(seen, name) != seen.end()) {
      return std::unexpected(
          error(ErrorCode::kInvalidArgument, name, fmt::format("'{}' stands here twice", path_of(name))));
    }
    seen.push_back(name);
  }
  return {};
}

std::optional<element> RequestFields::find(std::string_view name) const {
  element value;
  if (object_.at_key(name).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

Result<std::optional<std::string_view>> RequestFields::string(std::string_view name) const {
  const auto value = find(name);
  if (!value) return std::nullopt;
  std::string_view text;
  if (value->get(text) != simdjson::SUCCESS) return wrong_type(name, "a string");
  return text;
}

Result<std::optional<bool>> RequestFields::boolean(std::string_view name) const {
  const auto value = find(name);
  if (!value) return std::nullopt;
  bool flag = false;
  if (value->get(flag) != simdjson::SUCCESS) return wrong_type(name, "a boolean");
  return flag;
}

Result<std::optional<int64_t>> RequestFields::integer(std::string_view name, int64_t low,
                                                      int64_t high) const {
  const auto value = find(name);
  if (!value) return std::nullopt;
  int64_t number = 0;
  double fraction = 0;
  if (value->is_double() && value->get(fraction) == simdjson::SUCCESS && std::trunc(fraction) == fraction &&
      std::abs(fraction) < kExactDouble) {
    number = static_cast<int64_t>(fraction);
  } else if (value->get(number) != simdjson::SUCCESS && !value->is_uint64()) {
    return wrong_type(name, "an integer");
  }
  if (value->type() == element_type::UINT64 || number < low || number > high) {
    return std::unexpected(error(ErrorCode::kInvalidArgument, name,
                                 fmt::format("'{}' must be from {} to {}", path_of(name), low, high)));
  }
  return number;
}

Result<std::optional<double>> RequestFields::number(std::string_view name, double low, double high) const {
  const auto value = find(name);
  if (!value) return std::nullopt;
  return TRY(number_in(*value, name, low, high));
}

Result<double> RequestFields::number_in(element value, std::string_view name, double low, double high) const {
  double number = 0;
  if (value.get(number) != simdjson::SUCCESS) return wrong_type(name, "a number");
  if (!std::isfinite(number) || number < low || number > high) {
    return std::unexpected(error(ErrorCode::kInvalidArgument, name,
                                 fmt::format("'{}' must be from {} to {}", path_of(name), low, high)));
  }
  return number;
}

Result<std::optional<simdjson::dom::object>> RequestFields::object(std::string_view name) const {
  const auto value = find(name);
  if (!value) return std::nullopt;
  simdjson::dom::object object;
  if (value->get(object) != simdjson::SUCCESS) return wrong_type(name, "an object");
  return object;
}

}  // namespace feilun::gateway
