#include "jinja/sequence.h"

#include <algorithm>

#include "jinja/print.h"
#include "jinja/unicode.h"

namespace feilun::jinja {
namespace {

Result<std::vector<Value>> characters(Heap& heap, const Text& text) {
  std::vector<Value> items;
  for (size_t at = 0; at < text.size();) {
    const size_t size = code_point_at(text.bytes(), at).size;
    items.push_back(TRY(heap.text(text.slice(at, at + size))));
    at += size;
  }
  return items;
}

struct Walk {
  Integer start, stop, stride;
};
// The positions that a slice visits among `length` elements.
Result<Walk> walk(size_t length, const SliceBounds& bounds) {
  const Integer step = bounds.step.value_or(1);
  if (step == 0) return fail(ErrorCode::kInvalidArgument, "the step of a slice cannot be zero");
  const auto size = static_cast<Integer>(length);
  const Integer lowest = step > 0 ? 0 : -1;
  const Integer highest = step > 0 ? size : size - 1;
  const auto resolve = [&](const std::optional<Integer>& bound, Integer fallback) {
    if (!bound) return fallback;
    return std::clamp(*bound < 0 ? *bound + size : *bound, lowest, highest);
  };
  const Integer start = resolve(bounds.start, step > 0 ? lowest : highest);
  const Integer stop = resolve(bounds.stop, step > 0 ? highest : lowest);
  // A step beyond the length ends the walk at once; clamped, it cannot overflow.
  return Walk{start, stop, std::clamp<Integer>(step, -size - 1, size + 1)};
}

void visit(const Walk& walk, auto&& take) {
  for (Integer i = walk.start; walk.stride > 0 ? i < walk.stop : i > walk.stop; i += walk.stride) {
    take(static_cast<size_t>(i));
  }
}

Result<Value> slice_text(Heap& heap, const Text& text, const SliceBounds& bounds) {
  const std::string_view bytes = text.bytes();
  const size_t length = count_code_points(bytes);
  const Walk places = TRY(walk(length, bounds));
  if (places.stride == 1) {
    const auto byte_of = [&](Integer i) { return byte_of_code_point(bytes, static_cast<size_t>(i)); };
    if (places.start >= places.stop) return heap.text("", true);
    return heap.text(text.slice(byte_of(places.start), byte_of(places.stop)));
  }
  TRY(heap.spend_memory((length + 1) * sizeof(size_t) + text.size()));
  std::vector<size_t> starts;
  starts.reserve(length + 1);
  for (size_t at = 0; at < text.size(); at += code_point_at(bytes, at).size) starts.push_back(at);
  starts.push_back(text.size());
  Text part;
  visit(places, [&](size_t i) { part.append(text, starts[i], starts[i + 1]); });
  return heap.text(std::move(part));
}

}  // namespace

Result<const std::vector<Value>*> items_of(Heap& heap, const Value& value) {
  Value list;
  if (value.is_list()) {
    list = value;
  } else if (value.is_dict()) {
    std::vector<Value> keys;
    for (const auto& entry : value.as_dict().entries) keys.push_back(entry.first);
    list = TRY(heap.list(std::move(keys)));
  } else if (value.is_text()) {
    std::vector<Value> items = TRY(characters(heap, value.as_text()));
    list = TRY(heap.list(std::move(items)));
  } else if (value.is_undefined()) {
    list = TRY(heap.list({}));
  } else {
    return fail(ErrorCode::kInvalidArgument, "a {} cannot be iterated", type_name(value));
  }
  return &list.as_list().items;
}

Result<size_t> length_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return size_t{0};
    case Kind::kText:
      return count_code_points(value.bytes());
    case Kind::kDict:
      return value.as_dict().entries.size();
    case Kind::kLoop:
      return value.as_loop().items->size();
    case Kind::kList:
      if (value.as_list().type != List::Type::kGenerator) return value.as_list().items.size();
      break;
    default:
      break;
  }
  return fail(ErrorCode::kInvalidArgument, "a {} has no length", type_name(value));
}

Result<Value> slice(Heap& heap, const Value& value, const SliceBounds& bounds) {
  if (value.is_text()) {
    TRY(heap.spend_reading(value.as_text().size()));
    return slice_text(heap, value.as_text(), bounds);
  }
  if (!value.is_list() || !value.as_list().indexable()) {
    return fail(ErrorCode::kInvalidArgument, "a {} cannot be sliced", type_name(value));
  }
  const auto& items = value.as_list().items;
  const Walk places = TRY(walk(items.size(), bounds));
  TRY(heap.spend_work(items.size() / 8));
  std::vector<Value> part;
  visit(places, [&](size_t i) { part.push_back(items[i]); });
  return heap.list(std::move(part), value.as_list().type);
}

}  // namespace feilun::jinja
