#include <algorithm>
#include <span>

#include "jinja/arithmetic.h"
#include "jinja/attributes.h"
#include "jinja/compare.h"
#include "jinja/filters.h"
#include "jinja/methods.h"
#include "jinja/print.h"
#include "jinja/sequence.h"
#include "jinja/text_operations.h"

namespace feilun::jinja {
namespace {

Result<Value> length(Invocation& call) {
  return Value::integer(static_cast<Integer>(TRY(length_of(call.self))));
}

Result<Value> list(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.self));
  return call.heap().list(*items);
}

Result<Value> first(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.self));
  return items->empty() ? call.heap().undefined("there is no first item, for the sequence is empty")
                        : items->front();
}

Result<Value> last(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.self));
  return items->empty() ? call.heap().undefined("there is no last item, for the sequence is empty")
                        : items->back();
}

Result<Value> default_value(Invocation& call) {
  const bool missing = call.self.is_undefined() || (call.flag(1, false) && !is_true(call.self));
  if (!missing) return call.self;
  return call.has(0) ? Result<Value>(call.at(0)) : call.heap().text("", true);
}

Result<Value> items(Invocation& call) {
  if (call.self.is_undefined()) return call.heap().list({}, List::Type::kGenerator);
  if (!call.self.is_dict())
    return fail(ErrorCode::kInvalidArgument, "'items' needs a dict, not a {}", type_name(call.self));
  std::vector<Value> pairs;
  for (const auto& [key, value] : call.self.as_dict().entries) {
    pairs.push_back(TRY(call.heap().list({key, value}, List::Type::kTuple)));
  }
  return call.heap().list(std::move(pairs), List::Type::kGenerator);
}

Result<Value> join(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.self));
  Text separator;
  if (call.has(0)) TRY(print(call.heap(), call.at(0), separator));
  Text joined;
  for (size_t i = 0; i < items->size(); ++i) {
    const Value item = call.has(1) ? TRY(get_path(call.context, (*items)[i], call.at(1))) : (*items)[i];
    if (i > 0) {
      TRY(call.heap().spend_memory(separator.size()));
      joined.append(separator);
    }
    TRY(print(call.heap(), item, joined));
  }
  return call.heap().text(std::move(joined));
}

Result<Value> reverse(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.self));
  std::vector<Value> reversed(items->rbegin(), items->rend());
  if (!call.self.is_text()) return call.heap().list(std::move(reversed), List::Type::kGenerator);
  Text text;
  for (const Value& character : reversed) text.append(character.as_text());
  return call.heap().text(std::move(text));
}

// Texts compare without case unless asked otherwise.
Result<Value> sort_key(Invocation& call, const Value& item, const std::optional<Value>& attribute,
                       bool case_sensitive) {
  const Value key = attribute && !attribute->is_none() ? TRY(get_path(call.context, item, *attribute)) : item;
  if (case_sensitive || !key.is_text()) return key;
  return call.heap().text(lower(key.as_text()));
}

struct Keyed {
  Value key, item;
};

Result<std::vector<Keyed>> keyed(Invocation& call, const std::vector<Value>& items,
                                 const std::optional<Value>& attribute, bool case_sensitive) {
  TRY(call.heap().spend_memory(items.size() * sizeof(Keyed)));
  std::vector<Keyed> all;
  for (const Value& item : items) all.push_back({TRY(sort_key(call, item, attribute, case_sensitive)), item});
  return all;
}

// Merge sort that can fail: values may have no order.
Result<void> sort_keyed(Heap& heap, std::vector<Keyed>& all, bool descending) {
  std::vector<Keyed> merged(all.size());
  for (size_t width = 1; width < all.size(); width *= 2) {
    for (size_t begin = 0; begin < all.size(); begin += 2 * width) {
      size_t left = begin;
      const size_t middle = std::min(begin + width, all.size());
      size_t right = middle;
      const size_t end = std::min(begin + 2 * width, all.size());
      for (size_t out = begin; out < end; ++out) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
          const auto ordering = TRY(order(heap, all[right].key, all[left].key));
          take_right = descending ? ordering > 0 : ordering < 0;
        }
        merged[out] = take_right ? all[right++] : all[left++];
      }
    }
    std::swap(all, merged);
  }
  return {};
}

Result<Value> sorted_list(Invocation& call, std::vector<Keyed> all, bool descending) {
  TRY(sort_keyed(call.heap(), all, descending));
  std::vector<Value> sorted;
  for (const Keyed& entry : all) sorted.push_back(entry.item);
  return call.heap().list(std::move(sorted));
}

Result<Value> sort(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.self));
  auto all = TRY(keyed(call, *items, call.arguments[2], call.flag(1, false)));
  return sorted_list(call, std::move(all), call.flag(0, false));
}

Result<Value> dictsort(Invocation& call) {
  if (!call.self.is_dict())
    return fail(ErrorCode::kInvalidArgument, "'dictsort' needs a dict, not a {}", type_name(call.self));
  const std::string_view by = call.has(1) ? TRY(call.text(1))->bytes() : "key";
  if (by != "key" && by != "value")
    return fail(ErrorCode::kInvalidArgument, "'dictsort' sorts by 'key' or 'value'");
  std::vector<Value> pairs;
  for (const auto& [key, value] : call.self.as_dict().entries) {
    pairs.push_back(TRY(call.heap().list({key, value}, List::Type::kTuple)));
  }
  const Value position = Value::integer(by == "key" ? 0 : 1);
  auto all = TRY(keyed(call, pairs, position, call.flag(0, false)));
  return sorted_list(call, std::move(all), call.flag(2, false));
}

Result<Value> unique(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.self));
  const auto all = TRY(keyed(call, *items, call.arguments[1], call.flag(0, false)));
  const Value seen = TRY(call.heap().dict());
  std::vector<Value> kept;
  for (const Keyed& entry : all) {
    const DictKey key = TRY(dict_key(entry.key));
    if (seen.as_dict().find(key) != nullptr) continue;
    TRY(call.heap().set(seen.as_dict(), entry.key, entry.key));
    kept.push_back(entry.item);
  }
  return call.heap().list(std::move(kept), List::Type::kGenerator);
}

template <bool largest>
Result<Value> extreme(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.self));
  const auto all = TRY(keyed(call, *items, call.arguments[1], call.flag(0, false)));
  if (all.empty()) return call.heap().undefined("the sequence is empty");
  const Keyed* best = &all[0];
  for (const Keyed& entry : std::span(all).subspan(1)) {
    const auto ordering = TRY(order(call.heap(), entry.key, best->key));
    if (largest ? ordering > 0 : ordering < 0) best = &entry;
  }
  return best->item;
}

Result<Value> sum(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.self));
  Value total = call.has(1) ? call.at(1) : Value::integer(0);
  for (const Value& item : *items) {
    const Value term =
        call.has(0) && !call.at(0).is_none() ? TRY(get_path(call.context, item, call.at(0))) : item;
    total = TRY(calculate(call.heap(), BinaryOperator::kAdd, total, term));
  }
  return total;
}

Result<Value> batch(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.self));
  const int64_t size = TRY(call.integer(0, 1));
  if (size < 1 || size > 100'000)
    return fail(ErrorCode::kInvalidArgument, "the size of a batch must be 1 to 100000");
  const auto width = static_cast<size_t>(size);
  std::vector<Value> batches;
  for (size_t begin = 0; begin < items->size(); begin += width) {
    const size_t end = std::min(begin + width, items->size());
    std::vector<Value> part(items->begin() + static_cast<ptrdiff_t>(begin),
                            items->begin() + static_cast<ptrdiff_t>(end));
    if (call.has(1) && !call.at(1).is_none()) part.resize(width, call.at(1));
    batches.push_back(TRY(call.heap().list(std::move(part))));
  }
  return call.heap().list(std::move(batches), List::Type::kGenerator);
}

Result<Value> groupby(Invocation& call) {
  const auto* items = TRY(items_of(call.heap(), call.self));
  auto all = TRY(keyed(call, *items, call.arguments[0], call.flag(2, false)));
  TRY(sort_keyed(call.heap(), all, false));
  std::vector<Value> groups;
  for (size_t begin = 0; begin < all.size();) {
    std::vector<Value> members;
    size_t end = begin;
    while (end < all.size()) {
      const bool same = TRY(equal(call.heap(), all[begin].key, all[end].key));
      if (!same) break;
      members.push_back(all[end++].item);
    }
    const Value grouper = TRY(get_path(call.context, all[begin].item, call.at(0)));
    const Value list_value = TRY(call.heap().list(std::move(members)));
    groups.push_back(TRY(call.heap().list({grouper, list_value}, List::Type::kTuple)));
    begin = end;
  }
  return call.heap().list(std::move(groups));
}

Result<Value> attribute(Invocation& call) {
  const Text* name = TRY(call.text(0));
  // Unlike a dot, the filter never looks at the keys of a dict.
  const bool key_only = call.self.is_dict() && find_method(call.self, name->bytes()) == nullptr;
  if (key_only) return call.heap().undefined(fmt::format("a dict has no attribute '{}'", name->bytes()));
  return get_attribute(call.context, call.self, name->bytes());
}

}  // namespace

const std::vector<Builtin>& sequence_filters() {
  static const std::vector<Builtin> kFilters = {
      {"length", {}, 0, length},
      {"count", {}, 0, length},
      {"list", {}, 0, list},
      {"first", {}, 0, first},
      {"last", {}, 0, last},
      {"default", {"default_value", "boolean"}, 0, default_value},
      {"d", {"default_value", "boolean"}, 0, default_value},
      {"items", {}, 0, items},
      {"join", {"d", "attribute"}, 0, join},
      {"reverse", {}, 0, reverse},
      {"sort", {"reverse", "case_sensitive", "attribute"}, 0, sort},
      {"dictsort", {"case_sensitive", "by", "reverse"}, 0, dictsort},
      {"unique", {"case_sensitive", "attribute"}, 0, unique},
      {"min", {"case_sensitive", "attribute"}, 0, extreme<false>},
      {"max", {"case_sensitive", "attribute"}, 0, extreme<true>},
      {"sum", {"attribute", "start"}, 0, sum},
      {"batch", {"linecount", "fill_with"}, 1, batch},
      {"groupby", {"attribute", "default", "case_sensitive"}, 1, groupby},
      {"attr", {"name"}, 1, attribute},
  };
  return kFilters;
}

}  // namespace feilun::jinja
