#include "jinja/attributes.h"
#include "jinja/compare.h"
#include "jinja/filters.h"
#include "jinja/predicates.h"
#include "jinja/sequence.h"

// map, select, reject and the attribute forms: filters that apply another filter or test to each element.
namespace feilun::jinja {
namespace {

Arguments without_first(const Arguments& arguments, size_t count) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<ptrdiff_t>(count));
  return rest;
}

Result<Value> map_attribute(Invocation& call, const std::vector<Value>& items) {
  Value attribute, fallback;
  for (const auto& [name, value] : call.raw.named) {
    if (name == "attribute") {
      attribute = value;
    } else if (name == "default") {
      fallback = value;
    } else {
      return fail(ErrorCode::kInvalidArgument, "'map' takes no argument '{}'", name);
    }
  }
  std::vector<Value> mapped;
  for (const Value& item : items) {
    const Value value = TRY(get_path(call.context, item, attribute));
    mapped.push_back(value.is_undefined() && !fallback.is_undefined() ? fallback : value);
  }
  return call.heap().list(std::move(mapped), List::Type::kGenerator);
}

// Whatever counts as false has no elements, even where it cannot be iterated.
Result<const std::vector<Value>*> elements(Invocation& call) {
  return items_of(call.heap(), is_true(call.self) ? call.self : Value());
}

Result<Value> map(Invocation& call) {
  const auto* items = TRY(elements(call));
  if (call.raw.positional.empty()) return map_attribute(call, *items);
  const Value& name = call.raw.positional[0];
  const Builtin* filter = name.is_text() ? find_filter(name.bytes()) : nullptr;
  if (filter == nullptr) return fail(ErrorCode::kInvalidArgument, "'map' needs the name of a filter");
  const Arguments arguments = without_first(call.raw, 1);
  std::vector<Value> mapped;
  for (const Value& item : *items) mapped.push_back(TRY(invoke(*filter, call.context, item, arguments)));
  return call.heap().list(std::move(mapped), List::Type::kGenerator);
}

template <bool keep, bool by_attribute>
Result<Value> select(Invocation& call) {
  const auto* items = TRY(elements(call));
  const auto& given = call.raw.positional;
  if (by_attribute && given.empty())
    return fail(ErrorCode::kInvalidArgument, "the name of an attribute is missing");
  const size_t first = by_attribute ? 1 : 0;
  const Builtin* test = nullptr;
  if (given.size() > first) {
    test = given[first].is_text() ? find_test(given[first].bytes()) : nullptr;
    if (test == nullptr) return fail(ErrorCode::kInvalidArgument, "there is no such test to select by");
  }
  const Arguments arguments = without_first(call.raw, std::min(given.size(), first + 1));
  std::vector<Value> selected;
  for (const Value& item : *items) {
    const Value subject = by_attribute ? TRY(get_path(call.context, item, given[0])) : item;
    const Value holds = test != nullptr ? TRY(invoke(*test, call.context, subject, arguments)) : subject;
    if (is_true(holds) == keep) selected.push_back(item);
  }
  return call.heap().list(std::move(selected), List::Type::kGenerator);
}

}  // namespace

const std::vector<Builtin>& selection_filters() {
  static const std::vector<Builtin> kFilters = {
      {"map", {}, 0, map, true},
      {"select", {}, 0, select<true, false>, true},
      {"reject", {}, 0, select<false, false>, true},
      {"selectattr", {}, 0, select<true, true>, true},
      {"rejectattr", {}, 0, select<false, true>, true},
  };
  return kFilters;
}

}  // namespace feilun::jinja
