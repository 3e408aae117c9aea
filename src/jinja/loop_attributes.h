#pragma once

#include <string_view>

#include "jinja/builtin.h"

namespace feilun::jinja {

/// `loop.index` and its kin; undefined for names that a loop does not have.
Result<Value> loop_attribute(Context& context, Loop& loop, std::string_view name);

}  // namespace feilun::jinja
