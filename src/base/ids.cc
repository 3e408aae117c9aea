#include "base/ids.h"

#include <sodium.h>

#include <chrono>

namespace feilun {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kDigits = 26;

}  // namespace

std::string new_id(std::string_view prefix) {
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

bool is_id(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  if (!text.starts_with('_') || text.size() != kDigits + 1) return false;
  return text.find_first_not_of(kAlphabet, 1) == text.npos;
}

uint64_t random_u64() {
  uint64_t value;
  randombytes_buf(&value, sizeof value);
  return value;
}

}  // namespace feilun
