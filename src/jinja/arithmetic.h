#pragma once

#include "jinja/ast.h"
#include "jinja/heap.h"
#include "jinja/value.h"

namespace feilun::jinja {

/// Python's operators on values. Integers have 128 bits; a result beyond is an error.
Result<Value> calculate(Heap& heap, BinaryOperator op, const Value& left, const Value& right);
Result<Value> negate(const Value& operand);
/// Python's `format % arguments` for %s %r %d %i %f %x %o %e %g %c and %%, with flags, width and precision.
Result<Value> format_percent(Heap& heap, const Text& format, const Value& arguments);

}  // namespace feilun::jinja
