#pragma once

#include <string_view>

#include "base/result.h"
#include "jinja/ast.h"

namespace feilun::jinja {

/// The syntax tree of a template, or kInvalidArgument with line and column.
Result<Block> parse_template(std::string_view source);

}  // namespace feilun::jinja
