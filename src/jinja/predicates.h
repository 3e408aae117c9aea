#pragma once

#include <string_view>

#include "jinja/builtin.h"

namespace feilun::jinja {

/// The test of that name, as `value is name` calls it; null when there is none. All return a bool.
const Builtin* find_test(std::string_view name);

}  // namespace feilun::jinja
