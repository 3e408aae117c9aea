#include "ledger/checked_text.h"

#include <simdjson.h>

#include <algorithm>

#include "ledger/limits.h"

namespace feilun::ledger {

Result<> check_text(std::string_view what, std::string_view text, bool may_be_empty) {
  if (text.empty() && !may_be_empty) return fail(ErrorCode::kInvalidArgument, "the {} is empty", what);
  if (text.size() > kTextBytesMax) {
    return fail(ErrorCode::kInvalidArgument, "the {} is longer than {} bytes", what, kTextBytesMax);
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return fail(ErrorCode::kInvalidArgument, "the {} is not UTF-8", what);
  }
  const auto is_control = [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(text, is_control)) {
    return fail(ErrorCode::kInvalidArgument, "the {} has a control character", what);
  }
  return {};
}

}  // namespace feilun::ledger
