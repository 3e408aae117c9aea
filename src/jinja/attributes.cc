#include "jinja/attributes.h"

#include <algorithm>
#include <charconv>

#include "jinja/loop_attributes.h"
#include "jinja/methods.h"
#include "jinja/print.h"
#include "jinja/unicode.h"

namespace feilun::jinja {
namespace {

// What Python's objects could do to themselves; templates may not change what they were given.
constexpr std::string_view kListChanges[] = {"append", "clear", "pop",    "reverse",
                                             "insert", "sort",  "extend", "remove"};
constexpr std::string_view kDictChanges[] = {"clear", "pop", "popitem", "setdefault", "update"};

bool is_forbidden(const Value& object, std::string_view name) {
  if (object.is_list() && object.as_list().type == List::Type::kList) {
    return std::ranges::find(kListChanges, name) != std::end(kListChanges);
  }
  return object.is_dict() && std::ranges::find(kDictChanges, name) != std::end(kDictChanges);
}

std::unexpected<Error> undefined_error(const Value& value) {
  return fail(ErrorCode::kInvalidArgument, "{}", describe_undefined(value));
}

Result<std::optional<Value>> bound_method(Context& context, const Value& object, std::string_view name) {
  if (is_forbidden(object, name)) {
    return context.heap.undefined(
        fmt::format("'{}' would change a {}, which a template may not", name, type_name(object)));
  }
  const Builtin* method = find_method(object, name);
  if (method == nullptr) return std::nullopt;
  return context.heap.callable(std::string(name), [&context, object, method](const Arguments& arguments) {
    return invoke(*method, context, object, arguments);
  });
}

Value missing(Context& context, const Value& object, std::string_view name) {
  return context.heap.undefined(
      fmt::format("'{} object' has no attribute '{}'", type_name(object), name.substr(0, 100)));
}

Result<Value> item_at(Context& context, const Value& object, Integer index) {
  if (object.is_text()) {
    const std::string_view bytes = object.bytes();
    TRY(context.heap.spend_reading(bytes.size()));
    const auto length = static_cast<Integer>(count_code_points(bytes));
    if (index < 0) index += length;
    if (index < 0 || index >= length) return context.heap.undefined("the string has no such position");
    const size_t start = byte_of_code_point(bytes, static_cast<size_t>(index));
    return context.heap.text(object.as_text().slice(start, start + code_point_at(bytes, start).size));
  }
  const auto& items = object.as_list().items;
  const auto length = static_cast<Integer>(items.size());
  if (index < 0) index += length;
  if (index < 0 || index >= length) {
    return context.heap.undefined(fmt::format("the {} has no element {}", type_name(object), index));
  }
  return items[static_cast<size_t>(index)];
}

}  // namespace

Result<Value> get_attribute(Context& context, const Value& object, std::string_view name) {
  if (object.is_undefined()) return undefined_error(object);
  if (object.is_loop()) return loop_attribute(context, object.as_loop(), name);
  if (object.kind() == Kind::kNamespace) {
    const Value* value = object.as_namespace().attributes.find_text(name);
    return value != nullptr ? *value : missing(context, object, name);
  }
  const std::optional<Value> method = TRY(bound_method(context, object, name));
  if (method) return *method;
  if (object.is_dict()) {
    if (const Value* value = object.as_dict().find_text(name)) return *value;
  }
  return missing(context, object, name);
}

Result<Value> get_item(Context& context, const Value& object, const Value& index) {
  if (object.is_undefined()) return undefined_error(object);
  if (object.is_dict()) {
    if (const auto key = dict_key(index)) {
      if (const Value* value = object.as_dict().find(*key)) return *value;
    }
  } else if (index.is_integral() &&
             (object.is_text() || (object.is_list() && object.as_list().indexable()))) {
    return item_at(context, object, index.as_integer());
  }
  if (index.is_text()) return get_attribute(context, object, index.bytes());
  return context.heap.undefined(fmt::format("the {} has no such element", type_name(object)));
}

Result<Value> get_path(Context& context, const Value& object, const Value& path) {
  if (!path.is_text()) return get_item(context, object, path);
  Value value = object;
  std::string_view rest = path.bytes();
  while (true) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, dot);
    int64_t position = 0;
    const bool number = !part.empty() &&
                        std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; }) &&
                        std::from_chars(part.data(), part.data() + part.size(), position).ec == std::errc();
    const Value index = number ? Value::integer(position) : TRY(context.heap.text(part, true));
    value = TRY(get_item(context, value, index));
    if (dot == rest.size()) return value;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace feilun::jinja
