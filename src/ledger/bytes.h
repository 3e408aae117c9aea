#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/money.h"

namespace feilun::ledger {

using Hash = std::array<uint8_t, 32>;
using AmountBytes = std::array<uint8_t, 16>;

/// BLAKE2b-256 without a key.
Hash blake2b_256(std::string_view bytes);
/// Of the one behind the other.
Hash blake2b_256(std::string_view head, std::string_view rest);

/// 16 bytes, big-endian two's complement with the sign bit flipped: as bytes they sort as the numbers do.
AmountBytes amount_bytes(Money amount);
/// The reverse; any 16 bytes are an amount.
Money amount_from(const AmountBytes& bytes);

/// Lower-case hexadecimal digits.
std::string hex(std::string_view bytes);
/// The reverse; false for anything but 64 lower-case digits.
bool unhex(std::string_view text, Hash& hash);

inline std::string_view view(const Hash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}
inline std::string_view view(const AmountBytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace feilun::ledger
