#include "base/ids.h"

#include <sodium.h>

#include <chrono>

namespace feilun {

std::string new_id(std::string_view prefix) {
  static constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto millis =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  std::string id(prefix);
  id.push_back('_');
  for (int shift = 45; shift >= 0; shift -= 5) id.push_back(kAlphabet[(millis >> shift) & 31]);
  uint8_t random[16];
  randombytes_buf(random, sizeof random);
  for (uint8_t byte : random) id.push_back(kAlphabet[byte & 31]);
  return id;
}

uint64_t random_u64() {
  uint64_t value;
  randombytes_buf(&value, sizeof value);
  return value;
}

}  // namespace feilun
