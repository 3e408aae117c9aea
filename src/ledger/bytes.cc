#include "ledger/bytes.h"

#include <sodium.h>

#include <bit>

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

Hash blake2b_256(std::string_view head, std::string_view rest) {
  crypto_generichash_state state;
  Hash hash;
  crypto_generichash_init(&state, nullptr, 0, hash.size());
  for (const std::string_view part : {head, rest}) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()), part.size());
  }
  crypto_generichash_final(&state, hash.data(), hash.size());
  return hash;
}

AmountBytes amount_bytes(Money amount) {
  const auto flipped = static_cast<unsigned __int128>(amount.pico()) ^ kSignBit;
  const std::array<uint64_t, 2> halves = {__builtin_bswap64(static_cast<uint64_t>(flipped >> 64)),
                                          __builtin_bswap64(static_cast<uint64_t>(flipped))};
  return std::bit_cast<AmountBytes>(halves);
}

Money amount_from(const AmountBytes& bytes) {
  const auto halves = std::bit_cast<std::array<uint64_t, 2>>(bytes);
  const auto flipped =
      static_cast<unsigned __int128>(__builtin_bswap64(halves[0])) << 64 | __builtin_bswap64(halves[1]);
  return Money::pico(static_cast<int128>(flipped ^ kSignBit));
}

}  // namespace feilun::ledger
