#include "ledger/bytes.h"

#include <sodium.h>

#include <bit>

namespace feilun::ledger {
namespace {
constexpr auto kSignBit = static_cast<unsigned __int128>(1) << 127;
constexpr std::string_view kHexDigits = "0123456789abcdef";
/// Until it is started libsodium hashes by the slowest of its ways, three times slower than by AVX2.
[[maybe_unused]] const int kStarted = sodium_init();
}  // namespace

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

std::string hex(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    text.push_back(kHexDigits[byte >> 4]);
    text.push_back(kHexDigits[byte & 15]);
  }
  return text;
}

bool unhex(std::string_view text, Hash& hash) {
  if (text.size() != 2 * hash.size()) return false;
  for (size_t i = 0; i < hash.size(); ++i) {
    const size_t high = kHexDigits.find(text[2 * i]);
    const size_t low = kHexDigits.find(text[2 * i + 1]);
    if (high == kHexDigits.npos || low == kHexDigits.npos) return false;
    hash[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace feilun::ledger
