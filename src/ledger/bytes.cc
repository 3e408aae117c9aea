#include "ledger/bytes.h"

#include <sodium.h>

namespace feilun::ledger {
namespace {
constexpr auto kSignBit = static_cast<unsigned __int128>(1) << 127;
}

Hash blake2b_256(std::string_view bytes) {
  Hash hash;
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size(), nullptr, 0);
  return hash;
}

AmountBytes amount_bytes(Money amount) {
  const auto flipped = static_cast<unsigned __int128>(amount.pico()) ^ kSignBit;
  AmountBytes bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(flipped >> (8 * (15 - i)));
  return bytes;
}

Money amount_from(const AmountBytes& bytes) {
  unsigned __int128 flipped = 0;
  for (uint8_t byte : bytes) flipped = (flipped << 8) | byte;
  return Money::pico(static_cast<int128>(flipped ^ kSignBit));
}

}  // namespace feilun::ledger
