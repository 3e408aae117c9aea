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

// The positions that a slice picks out of `length` elements.
Result<std::vector<size_t>> picked(Heap& heap, size_t length, const SliceBounds& bounds) {
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
  std::vector<size_t> positions;
  // A step beyond the length ends the walk at once; clamped, it cannot overflow.
  const Integer stride = std::clamp<Integer>(step, -size - 1, size + 1);
  TRY(heap.spend_work(length / 8));
  for (Integer i = start; stride > 0 ? i < stop : i > stop; i += stride)
    positions.push_back(static_cast<size_t>(i));
  return positions;
}

Result<Value> slice_text(Heap& heap, const Text& text, const SliceBounds& bounds) {
  std::vector<size_t> starts;
  for (size_t at = 0; at < text.size(); at += code_point_at(text.bytes(), at).size) starts.push_back(at);
  const std::vector<size_t> positions = TRY(picked(heap, starts.size(), bounds));
  starts.push_back(text.size());
  if (bounds.step.value_or(1) == 1) {
    if (positions.empty()) return heap.text("", true);
    return heap.text(text.slice(starts[positions.front()], starts[positions.back() + 1]));
  }
  Text part;
  for (size_t position : positions) part.append(text, starts[position], starts[position + 1]);
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
  const std::vector<size_t> positions = TRY(picked(heap, items.size(), bounds));
  std::vector<Value> part;
  part.reserve(positions.size());
  for (size_t position : positions) part.push_back(items[position]);
  return heap.list(std::move(part), value.as_list().type);
}

}  // namespace feilun::jinja
