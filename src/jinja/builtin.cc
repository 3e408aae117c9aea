#include "jinja/builtin.h"

#include <algorithm>
#include <limits>

#include "jinja/compare.h"
#include "jinja/print.h"

namespace feilun::jinja {

Result<const Text*> Invocation::text(size_t i) const {
  if (at(i).is_undefined()) return fail(ErrorCode::kInvalidArgument, "{}", describe_undefined(at(i)));
  if (!at(i).is_text())
    return fail(ErrorCode::kInvalidArgument, "expected a string, not a {}", type_name(at(i)));
  return &at(i).as_text();
}

Result<int64_t> Invocation::integer(size_t i, int64_t fallback) const {
  if (!has(i) || at(i).is_none()) return fallback;
  if (!at(i).is_integral())
    return fail(ErrorCode::kInvalidArgument, "expected an integer, not a {}", type_name(at(i)));
  constexpr Integer kMax = std::numeric_limits<int64_t>::max();
  return static_cast<int64_t>(std::clamp<Integer>(at(i).as_integer(), -kMax, kMax));
}

bool Invocation::flag(size_t i, bool fallback) const {
  return has(i) ? is_true(at(i)) : fallback;
}

Result<Value> invoke(const Builtin& builtin, Context& context, const Value& self,
                     const Arguments& arguments) {
  TRY(context.heap.spend_work(1));
  if (self.is_text()) TRY(context.heap.spend_reading(self.as_text().size()));
  Invocation call{context, self, {}, arguments};
  if (builtin.variadic) return builtin.run(call);
  call.arguments.resize(builtin.parameters.size());
  if (arguments.positional.size() > builtin.parameters.size()) {
    return fail(ErrorCode::kInvalidArgument, "'{}' takes at most {} arguments", builtin.name,
                builtin.parameters.size());
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) call.arguments[i] = arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto place = std::ranges::find(builtin.parameters, name) - builtin.parameters.begin();
    if (static_cast<size_t>(place) == builtin.parameters.size() || call.has(static_cast<size_t>(place))) {
      return fail(ErrorCode::kInvalidArgument, "'{}' takes no argument '{}'", builtin.name, name);
    }
    call.arguments[static_cast<size_t>(place)] = value;
  }
  for (size_t i = 0; i < builtin.required; ++i) {
    if (!call.has(i)) {
      return fail(ErrorCode::kInvalidArgument, "'{}' needs the argument '{}'", builtin.name,
                  builtin.parameters[i]);
    }
  }
  return builtin.run(call);
}

const Builtin* find_builtin(std::span<const Builtin> table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &Builtin::name);
  return found == table.end() ? nullptr : &*found;
}

}  // namespace feilun::jinja
