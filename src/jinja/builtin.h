#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "jinja/heap.h"
#include "jinja/value.h"

namespace feilun::jinja {

/// What a running render shares with the functions it calls.
struct Context {
  Heap& heap;
  WallTime now;
};

/// One call of a filter, test or method: the value it is applied to and its arguments, by parameter.
struct Invocation {
  Context& context;
  Value self;
  std::vector<std::optional<Value>> arguments;  ///< one for each declared parameter
  const Arguments& raw;                         ///< as given, for variadic functions

  Heap& heap() const { return context.heap; }
  bool has(size_t i) const { return arguments[i].has_value(); }
  const Value& at(size_t i) const { return *arguments[i]; }
  /// The argument as a string or an integer; an error for any other type.
  Result<const Text*> text(size_t i) const;
  Result<int64_t> integer(size_t i, int64_t fallback) const;
  bool flag(size_t i, bool fallback) const;
};

/// A row of a table of functions. Arguments beyond `parameters`, unknown names and fewer than `required`
/// are errors, except that a variadic function takes all and reads `raw`.
struct Builtin {
  std::string_view name;
  std::vector<std::string_view> parameters;
  size_t required = 0;
  Result<Value> (*run)(Invocation& call);
  bool variadic = false;
};

Result<Value> invoke(const Builtin& builtin, Context& context, const Value& self, const Arguments& arguments);
const Builtin* find_builtin(std::span<const Builtin> table, std::string_view name);

}  // namespace feilun::jinja
