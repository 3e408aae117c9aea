#include "jinja/globals.h"

#include <algorithm>

#include "jinja/print.h"
#include "jinja/sequence.h"
#include "jinja/strftime.h"

namespace feilun::jinja {
namespace {

// The longest range that Jinja's sandbox allows.
constexpr Integer kRangeMax = 100'000;

Result<Value> range(Context& context, const Arguments& arguments) {
  const auto& given = arguments.positional;
  Integer bounds[3] = {0, 0, 1};
  if (given.empty() || given.size() > 3 || !arguments.named.empty()) {
    return fail(ErrorCode::kInvalidArgument, "range takes one to three integers");
  }
  for (size_t i = 0; i < given.size(); ++i) {
    if (!given[i].is_integral())
      return fail(ErrorCode::kInvalidArgument, "range takes integers, not a {}", type_name(given[i]));
    bounds[given.size() == 1 ? 1 : i] =
        std::clamp<Integer>(given[i].as_integer(), -(Integer{1} << 100), Integer{1} << 100);
  }
  const auto [start, stop, step] = bounds;
  if (step == 0) return fail(ErrorCode::kInvalidArgument, "the step of a range cannot be zero");
  const Integer distance = step > 0 ? stop - start : start - stop;
  const Integer stride = step > 0 ? step : -step;
  const Integer count = distance <= 0 ? 0 : (distance + stride - 1) / stride;
  if (count > kRangeMax)
    return fail(ErrorCode::kInvalidArgument, "a range can have at most {} elements", kRangeMax);
  TRY(context.heap.spend_work(static_cast<uint64_t>(count)));
  std::vector<Value> items;
  for (Integer i = 0; i < count; ++i) items.push_back(Value::integer(start + i * step));
  return context.heap.list(std::move(items), List::Type::kRange);
}

// Fills a dict from a mapping or a sequence of pairs, then from named arguments.
Result<void> fill(Context& context, Dict& dict, const Arguments& arguments) {
  if (arguments.positional.size() > 1)
    return fail(ErrorCode::kInvalidArgument, "a dict is made from one value at most");
  for (const Value& source : arguments.positional) {
    if (source.is_dict()) {
      for (const auto& [key, value] : source.as_dict().entries) TRY(context.heap.set(dict, key, value));
      continue;
    }
    const auto* pairs = TRY(items_of(context.heap, source));
    for (const Value& pair : *pairs) {
      const auto* parts = TRY(items_of(context.heap, pair));
      if (parts->size() != 2) return fail(ErrorCode::kInvalidArgument, "a dict is made of pairs");
      TRY(context.heap.set(dict, (*parts)[0], (*parts)[1]));
    }
  }
  for (const auto& [name, value] : arguments.named) {
    const Value key = TRY(context.heap.text(name, true));
    TRY(context.heap.set(dict, key, value));
  }
  return {};
}

Result<Value> make_dict(Context& context, const Arguments& arguments) {
  const Value dict = TRY(context.heap.dict());
  TRY(fill(context, dict.as_dict(), arguments));
  return dict;
}

Result<Value> make_namespace(Context& context, const Arguments& arguments) {
  const Value ns = TRY(context.heap.new_namespace());
  TRY(fill(context, ns.as_namespace().attributes, arguments));
  return ns;
}

Result<Value> raise_exception(Context& context, const Arguments& arguments) {
  Text message;
  if (!arguments.positional.empty()) TRY(print(context.heap, arguments.positional[0], message));
  return fail(ErrorCode::kInvalidArgument, "{}", message.bytes());
}

Result<Value> strftime_now(Context& context, const Arguments& arguments) {
  if (arguments.positional.size() != 1 || !arguments.positional[0].is_text()) {
    return fail(ErrorCode::kInvalidArgument, "strftime_now takes a format");
  }
  const std::string text = TRY(format_time(context.now, arguments.positional[0].bytes()));
  return context.heap.text(text, true);
}

}  // namespace

Result<void> define_globals(Context& context, Scope& scope) {
  using Function = Result<Value> (*)(Context&, const Arguments&);
  static constexpr std::pair<std::string_view, Function> kGlobals[] = {
      {"range", range},
      {"dict", make_dict},
      {"namespace", make_namespace},
      {"raise_exception", raise_exception},
      {"strftime_now", strftime_now},
  };
  for (const auto& [name, function] : kGlobals) {
    const Value callable =
        TRY(context.heap.callable(std::string(name), [&context, function](const Arguments& arguments) {
          return function(context, arguments);
        }));
    scope.set(name, callable);
  }
  return {};
}

}  // namespace feilun::jinja
