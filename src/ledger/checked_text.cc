#include "ledger/checked_text.h"

#include <simdjson.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "ledger/limits.h"

namespace feilun::ledger {
namespace {

/// The same characters in the fewest code points; empty for what is not Unicode.
std::string composed(std::string_view text) {
  utf8proc_uint8_t* made = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), std::ssize(text),
                                   &made, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(made, std::free);
  return length < 0 ? std::string() : std::string(reinterpret_cast<const char*>(made), size_t(length));
}

/// Nothing is seen of it, or a blank that looks like the space.
bool is_unseen(utf8proc_int32_t c) {
  switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_ZS:
      return c != ' ';
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CN:
      return true;
    default:
      return false;
  }
}

bool has_unseen(std::string_view text) {
  while (!text.empty()) {
    utf8proc_int32_t c = 0;
    const auto bytes =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), std::ssize(text), &c);
    if (bytes <= 0 || is_unseen(c)) return true;
    text.remove_prefix(static_cast<size_t>(bytes));
  }
  return false;
}

}  // namespace

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

Result<> check_name(std::string_view what, std::string_view name) {
  TRY(check_text(what, name, false));
  if (name.front() == ' ' || name.back() == ' ') {
    return fail(ErrorCode::kInvalidArgument, "the {} begins or ends with a blank", what);
  }
  if (has_unseen(name)) {
    return fail(ErrorCode::kInvalidArgument,
                "the {} has a character that cannot be seen, or a blank that is no space", what);
  }
  if (composed(name) != name) {
    return fail(ErrorCode::kInvalidArgument, "the {} is not in Unicode's normal form NFC", what);
  }
  return {};
}

Result<> check_offering(std::string_view name) {
  TRY(check_name("offering's name", name));
  if (!name.contains('*')) return {};
  return fail(ErrorCode::kInvalidArgument, "the offering's name '{}' has a '*', which stands for any ending",
              name);
}

}  // namespace feilun::ledger
