#pragma once

#include <simdjson.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/money.h"
#include "base/result.h"

namespace feilun::ledger {

/// Reads the JSON body of a record. A field that is absent is its default; one of another type, or a text
/// that is no object, makes ok() false for good: readers check once, at the end.
class JsonFields {
 public:
  explicit JsonFields(std::string_view json);
  /// Of an object inside another.
  explicit JsonFields(simdjson::dom::element element);

  bool has(std::string_view name) { return find(name).has_value(); }
  std::string text(std::string_view name);
  int64_t number(std::string_view name, int64_t otherwise = 0);
  bool flag(std::string_view name);
  Money money(std::string_view name);                   ///< a text of pico-units
  std::optional<WallTime> time(std::string_view name);  ///< microseconds since 1970
  std::vector<std::string> texts(std::string_view name);
  std::vector<int64_t> numbers(std::string_view name);
  std::vector<JsonFields> objects(std::string_view name);
  JsonFields object(std::string_view name);  ///< one that is not ok() where there is none
  bool ok() const { return ok_; }

 private:
  JsonFields() : ok_(false) {}
  std::optional<simdjson::dom::element> find(std::string_view name);
  std::vector<simdjson::dom::element> elements(std::string_view name);
  template <typename T>
  T value(std::string_view name, T otherwise);

  std::shared_ptr<simdjson::dom::parser> parser_;
  simdjson::dom::element object_;
  bool ok_ = true;
};

}  // namespace feilun::ledger
