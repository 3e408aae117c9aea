#pragma once

#include "jinja/builtin.h"
#include "jinja/scope.h"

namespace feilun::jinja {

/// Puts range, dict, namespace, raise_exception and strftime_now where every template finds them.
Result<void> define_globals(Context& context, Scope& scope);

}  // namespace feilun::jinja
