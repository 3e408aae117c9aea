#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace feilun::model {

/// A JSON object of a Hugging Face directory. A member that is absent or null is nullopt; one of another type
/// is an Error that names it.
class HuggingFaceObject {
 public:
  using Element = simdjson::dom::element;
  HuggingFaceObject() = default;
  explicit HuggingFaceObject(Element object) : object_(object) {}

  /// The member is there, be it null.
  bool has(std::string_view key) const;
  /// The member, whatever its type.
  std::optional<Element> find(std::string_view key) const;
  Result<std::optional<HuggingFaceObject>> object(std::string_view key) const;
  /// A whole number in [-2³¹, 2³¹).
  Result<std::optional<int>> integer(std::string_view key) const;
  Result<int> needed_integer(std::string_view key) const;
  Result<std::optional<float>> number(std::string_view key) const;
  Result<std::optional<bool>> boolean(std::string_view key) const;
  Result<std::optional<std::string_view>> string(std::string_view key) const;

 private:
  std::optional<Element> object_;
};

/// Parses a file of the directory; kCorrupt with its name when it is not a JSON object.
Result<JsonDocument> read_json_file(const std::filesystem::path& path);

}  // namespace feilun::model
