#pragma once

#include <string_view>

#include "jinja/builtin.h"

namespace feilun::jinja {

/// The method `name` of a string, list or dict; null when the type has none of that name.
const Builtin* find_method(const Value& object, std::string_view name);

}  // namespace feilun::jinja
