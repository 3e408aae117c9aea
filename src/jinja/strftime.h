#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace feilun::jinja {

/// The moment, in UTC, in the C locale's strftime notation.
Result<std::string> format_time(WallTime moment, std::string_view format);

}  // namespace feilun::jinja
