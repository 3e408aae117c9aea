#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace feilun {

/// A new unguessable identifier: prefix + '_' + 26 characters of Crockford base 32, of which the first
/// ten are the time in milliseconds, so that identifiers sort by their birth. "req_01JD…".
std::string new_id(std::string_view prefix);

/// Whether the text could be new_id(prefix)'s.
bool is_id(std::string_view text, std::string_view prefix);

/// 64 random bits from the operating system.
uint64_t random_u64();

}  // namespace feilun
