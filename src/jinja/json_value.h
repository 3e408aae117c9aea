#pragma once

#include <string_view>

#include "jinja/heap.h"
#include "jinja/value.h"

namespace feilun::jinja {

/// The JSON text as a value; every string and key in it is untrusted.
Result<Value> value_from_json(Heap& heap, std::string_view json);

/// How Python's json.dumps would be called.
struct JsonStyle {
  bool ensure_ascii = false;
  int indent = -1;  ///< spaces per level; -1: one line
  bool sort_keys = false;
  bool default_separators = true;  ///< with an indent, no blank follows the comma
  std::string_view item_separator = ", ";
  std::string_view key_separator = ": ";
};

/// The value as JSON, byte for byte as json.dumps writes it. Trusted only when all its strings are.
Result<Value> value_to_json(Heap& heap, const Value& value, const JsonStyle& style);

}  // namespace feilun::jinja
