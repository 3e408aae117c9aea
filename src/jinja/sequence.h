#pragma once

#include <optional>

#include "jinja/heap.h"
#include "jinja/value.h"

namespace feilun::jinja {

/// What a for loop visits: elements, keys of a dict, characters of a string. The list lives in the heap.
Result<const std::vector<Value>*> items_of(Heap& heap, const Value& value);

/// Python's len.
Result<size_t> length_of(const Value& value);

struct SliceBounds {
  std::optional<Integer> start, stop, step;
};
/// Python's value[start:stop:step] for strings and sequences.
Result<Value> slice(Heap& heap, const Value& value, const SliceBounds& bounds);

}  // namespace feilun::jinja
