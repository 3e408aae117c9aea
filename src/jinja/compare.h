#pragma once

#include <compare>

#include "jinja/heap.h"
#include "jinja/value.h"

namespace feilun::jinja {

/// Python's bool(value).
bool is_true(const Value& value);
/// Python's a == b; values of different types are unequal, never an error.
Result<bool> equal(Heap& heap, const Value& a, const Value& b, int depth = 0);
/// Python's order of numbers, strings and sequences; an error for types that have none.
Result<std::partial_ordering> order(Heap& heap, const Value& a, const Value& b, int depth = 0);
/// Python's `item in container`.
Result<bool> contains(Heap& heap, const Value& container, const Value& item);

}  // namespace feilun::jinja
