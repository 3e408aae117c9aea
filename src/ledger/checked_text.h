#pragma once

#include <string_view>

#include "base/result.h"

namespace feilun::ledger {

/// A name, reason or key that someone chose: UTF-8 without control characters, at most 256 bytes.
/// kInvalidArgument says what is wrong with the `what`.
Result<> check_text(std::string_view what, std::string_view text, bool may_be_empty);

}  // namespace feilun::ledger
