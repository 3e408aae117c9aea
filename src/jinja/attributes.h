#pragma once

#include <string_view>

#include "jinja/builtin.h"

namespace feilun::jinja {

/// `object.name`: a method first, then a key. Undefined when there is neither, an error on undefined.
Result<Value> get_attribute(Context& context, const Value& object, std::string_view name);
/// `object[index]`: a key or position first, then a method.
Result<Value> get_item(Context& context, const Value& object, const Value& index);
/// A dotted path of attributes and positions, as `map(attribute="a.0.b")` takes it.
Result<Value> get_path(Context& context, const Value& object, const Value& path);

}  // namespace feilun::jinja
