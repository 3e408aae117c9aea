#include "jinja/compare.h"

#include <algorithm>

#include "jinja/print.h"

namespace feilun::jinja {
namespace {

Result<void> enter(Heap& heap, int depth) {
  if (depth > kValueDepthMax) return fail(ErrorCode::kInvalidArgument, "the value nests too deeply");
  return heap.spend_work(1);
}

bool same_sequence_type(const List& a, const List& b) {
  return a.type == b.type && a.indexable();
}

Result<bool> equal_dicts(Heap& heap, const Dict& a, const Dict& b, int depth) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const DictKey hash = TRY(dict_key(key));
    const Value* other = b.find(hash);
    if (other == nullptr) return false;
    const bool same = TRY(equal(heap, value, *other, depth + 1));
    if (!same) return false;
  }
  return true;
}

}  // namespace

bool is_true(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.as_bool();
    case Kind::kInteger:
      return value.as_integer() != 0;
    case Kind::kFloat:
      return value.as_float() != 0;
    case Kind::kText:
      return !value.as_text().empty();
    case Kind::kList:
      return value.as_list().type == List::Type::kGenerator || !value.as_list().items.empty();
    case Kind::kDict:
      return !value.as_dict().entries.empty();
    case Kind::kNamespace:
    case Kind::kCallable:
      return true;
    case Kind::kLoop:
      return true;
  }
  return false;
}

Result<bool> equal(Heap& heap, const Value& a, const Value& b, int depth) {
  TRY(enter(heap, depth));
  if (a.is_integral() && b.is_integral()) return a.as_integer() == b.as_integer();
  if (a.is_number() && b.is_number()) return a.as_float() == b.as_float();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kText: {
      if (a.as_text().size() == b.as_text().size()) TRY(heap.spend_reading(a.as_text().size()));
      return a.as_text() == b.as_text();
    }
    case Kind::kList: {
      if (a.identity() == b.identity()) return true;
      const auto& left = a.as_list();
      const auto& right = b.as_list();
      if (!same_sequence_type(left, right) || left.items.size() != right.items.size()) return false;
      for (size_t i = 0; i < left.items.size(); ++i) {
        const bool same = TRY(equal(heap, left.items[i], right.items[i], depth + 1));
        if (!same) return false;
      }
      return true;
    }
    case Kind::kDict:
      return a.identity() == b.identity() ? true : equal_dicts(heap, a.as_dict(), b.as_dict(), depth);
    default:
      return a.identity() == b.identity();
  }
}

Result<std::partial_ordering> order(Heap& heap, const Value& a, const Value& b, int depth) {
  TRY(enter(heap, depth));
  if (a.is_integral() && b.is_integral()) return std::partial_ordering(a.as_integer() <=> b.as_integer());
  if (a.is_number() && b.is_number()) return a.as_float() <=> b.as_float();
  if (a.is_text() && b.is_text()) {
    TRY(heap.spend_reading(std::min(a.as_text().size(), b.as_text().size())));
    return std::partial_ordering(a.bytes() <=> b.bytes());
  }
  if (a.is_list() && b.is_list() && same_sequence_type(a.as_list(), b.as_list())) {
    const auto& left = a.as_list().items;
    const auto& right = b.as_list().items;
    for (size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
      const bool same = TRY(equal(heap, left[i], right[i], depth + 1));
      if (!same) return order(heap, left[i], right[i], depth + 1);
    }
    return std::partial_ordering(left.size() <=> right.size());
  }
  const Value& undefined = a.is_undefined() ? a : b;
  if (undefined.is_undefined()) return fail(ErrorCode::kInvalidArgument, "{}", describe_undefined(undefined));
  return fail(ErrorCode::kInvalidArgument, "a {} and a {} have no order", type_name(a), type_name(b));
}

Result<bool> contains(Heap& heap, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kUndefined:
      return false;
    case Kind::kText: {
      if (!item.is_text()) {
        return fail(ErrorCode::kInvalidArgument, "a string can contain a string, not a {}", type_name(item));
      }
      TRY(heap.spend_reading(container.as_text().size()));
      return container.bytes().contains(item.bytes());
    }
    case Kind::kList:
      for (const Value& candidate : container.as_list().items) {
        const bool same = TRY(equal(heap, candidate, item));
        if (same) return true;
      }
      return false;
    case Kind::kDict: {
      const DictKey hash = TRY(dict_key(item));
      return container.as_dict().find(hash) != nullptr;
    }
    default:
      return fail(ErrorCode::kInvalidArgument, "'in' needs a container, not a {}", type_name(container));
  }
}

}  // namespace feilun::jinja
