#pragma once

#include <string_view>

#include "base/result.h"

namespace feilun::ledger {

/// A name, reason or key that someone chose: UTF-8 without control characters, at most 256 bytes.
/// kInvalidArgument says what is wrong with the `what`.
Result<> check_text(std::string_view what, std::string_view text, bool may_be_empty);

/// A name by which somebody finds a thing again: a text that is not empty, and that no other text is printed
/// like: no blanks around it, no characters that cannot be seen, no blank but the space, in Unicode's normal
/// form NFC. kInvalidArgument.
Result<> check_name(std::string_view what, std::string_view name);

/// A model's public name: a name without '*', which in keys' scopes stands for any ending. kInvalidArgument.
Result<> check_offering(std::string_view name);

}  // namespace feilun::ledger
