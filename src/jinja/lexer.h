#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "jinja/token.h"

namespace feilun::jinja {

/// Cuts a template (valid UTF-8) into tokens. Whitespace around tags is already dealt with: `trim_blocks`
/// drops the newline after a block tag, `lstrip_blocks` the blanks before it, `-` all whitespace on its
/// side and `+` none; a single newline at the very end of the template is dropped.
Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace feilun::jinja
