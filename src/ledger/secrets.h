#pragma once

#include <sodium.h>

#include <string>
#include <string_view>

namespace feilun::ledger {

/// `prefix` and 48 random characters of base 62: 285 bits.
inline std::string new_secret(std::string_view prefix) {
  static constexpr char kAlphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr size_t kSecretCharacters = 48;
  std::string secret(prefix);
  for (size_t i = 0; i < kSecretCharacters; ++i) secret.push_back(kAlphabet[randombytes_uniform(62)]);
  return secret;
}

}  // namespace feilun::ledger
