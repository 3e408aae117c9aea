#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace feilun::jinja {

/// The value of what stands between the quotes of a string, with Python's escapes resolved.
Result<std::string> unescape(std::string_view literal);

}  // namespace feilun::jinja
