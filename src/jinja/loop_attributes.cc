#include "jinja/loop_attributes.h"

#include <algorithm>

#include "jinja/compare.h"

namespace feilun::jinja {
namespace {

Value count(size_t number) {
  return Value::integer(static_cast<Integer>(number));
}

Result<Value> cycle(Context& context, Loop& loop) {
  return context.heap.callable("cycle", [&loop](const Arguments& arguments) -> Result<Value> {
    if (arguments.positional.empty())
      return fail(ErrorCode::kInvalidArgument, "loop.cycle needs something to cycle through");
    return arguments.positional[loop.index0 % arguments.positional.size()];
  });
}

Result<Value> changed(Context& context, Loop& loop) {
  return context.heap.callable("changed", [&context, &loop](const Arguments& arguments) -> Result<Value> {
    const Value now = TRY(context.heap.list(arguments.positional, List::Type::kTuple));
    const bool same = loop.last_changed ? TRY(equal(context.heap, *loop.last_changed, now)) : false;
    loop.last_changed = now;
    return Value(!same);
  });
}

}  // namespace

Result<Value> loop_attribute(Context& context, Loop& loop, std::string_view name) {
  const size_t length = loop.items->size();
  const size_t i = std::min(loop.index0, length - 1);
  if (name == "index") return count(i + 1);
  if (name == "index0") return count(i);
  if (name == "first") return Value(i == 0);
  if (name == "last") return Value(i + 1 == length);
  if (name == "length") return count(length);
  if (name == "revindex") return count(length - i);
  if (name == "revindex0") return count(length - i - 1);
  if (name == "depth") return count(loop.depth0 + 1);
  if (name == "depth0") return count(loop.depth0);
  if (name == "previtem")
    return i > 0 ? (*loop.items)[i - 1] : context.heap.undefined("there is no previous item");
  if (name == "nextitem")
    return i + 1 < length ? (*loop.items)[i + 1] : context.heap.undefined("there is no next item");
  if (name == "cycle") return cycle(context, loop);
  if (name == "changed") return changed(context, loop);
  return context.heap.undefined(fmt::format("'loop' has no attribute '{}'", name));
}

}  // namespace feilun::jinja
