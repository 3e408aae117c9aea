#pragma once

#include <string>

#include "jinja/heap.h"
#include "jinja/value.h"

namespace feilun::jinja {

/// How deep values may nest where they are walked (printed, compared, written as JSON).
inline constexpr int kValueDepthMax = 200;

/// Python's str(value): the text itself, or what print would show. A container is written as one piece,
/// trusted only when all of its strings are.
Result<Value> to_text(Heap& heap, const Value& value);
/// The same, appended to `out`.
Result<void> print(Heap& heap, const Value& value, Text& out);

/// Python's repr(float): the shortest digits that read back, "1.0", "1e+16".
std::string float_repr(double number);

/// "'name' is undefined", or whatever else the value knows about itself.
std::string describe_undefined(const Value& value);

}  // namespace feilun::jinja
