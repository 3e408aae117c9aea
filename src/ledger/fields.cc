#include "ledger/fields.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"
#include "ledger/limits.h"

namespace feilun::ledger {
namespace {

std::array<char, 8> big_endian(int64_t value) {
  return std::bit_cast<std::array<char, 8>>(__builtin_bswap64(static_cast<uint64_t>(value)));
}

constexpr size_t kNumberBytesMax = 9;  ///< 63 bits by seven

/// Base 128, the lowest first. Returns the end of what it wrote.
char* put_number(char* to, int64_t value) {
  CHECK(value >= 0);
  auto rest = static_cast<uint64_t>(value);
  for (; rest >= 0x80; rest >>= 7) *to++ = static_cast<char>(rest | 0x80);
  *to++ = static_cast<char>(rest);
  return to;
}

}  // namespace

FieldWriter& FieldWriter::number(int64_t value) {
  std::array<char, kNumberBytesMax> bytes;
  return raw({bytes.data(), put_number(bytes.data(), value)});
}

FieldWriter& FieldWriter::byte(uint8_t value) {
  bytes_.push_back(static_cast<char>(value));
  return *this;
}

FieldWriter& FieldWriter::text(std::string_view value) {
  number(static_cast<int64_t>(value.size()));
  return raw(value);
}

FieldWriter& FieldWriter::raw(std::string_view bytes) {
  bytes_.append(bytes);
  return *this;
}

FieldWriter& FieldWriter::time(WallTime value) {
  const auto bytes = big_endian(value.time_since_epoch().count());
  return raw({bytes.data(), bytes.size()});
}

FieldWriter& FieldWriter::amount(Money value) {
  return raw(view(amount_bytes(value)));
}

FieldWriter& FieldWriter::usage(const TokenUsage& value) {
  std::array<char, 5 * kNumberBytesMax> bytes;
  char* end = bytes.data();
  for (const TokenCount tokens :
       {value.input_fresh, value.cache_read, value.cache_write, value.output, value.reasoning}) {
    end = put_number(end, tokens);
  }
  return raw({bytes.data(), end});
}

int64_t FieldReader::number() {
  uint64_t value = 0;
  for (int shift = 0; shift < 63; shift += 7) {
    const uint8_t group = byte();
    value |= static_cast<uint64_t>(group & 0x7f) << shift;
    if (group >= 0x80) continue;
    if (group == 0 && shift > 0) fail_all();  // not the shortest spelling
    return ok_ ? static_cast<int64_t>(value) : 0;
  }
  fail_all();
  return 0;
}

uint8_t FieldReader::byte() {
  const std::string_view one = raw(1);
  return one.empty() ? 0 : static_cast<uint8_t>(one[0]);
}

std::string FieldReader::text() {
  return std::string(raw(static_cast<size_t>(number())));
}

std::string_view FieldReader::raw(size_t size) {
  if (size > rest_.size()) {
    fail_all();
    return {};
  }
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

WallTime FieldReader::time() {
  uint64_t value = 0;
  for (const char c : raw(8)) value = value << 8 | static_cast<uint8_t>(c);
  return WallTime(std::chrono::microseconds(static_cast<int64_t>(value)));
}

Money FieldReader::amount() {
  const std::string_view bytes = raw(sizeof(AmountBytes));
  if (bytes.empty()) return {};
  AmountBytes sixteen;
  std::ranges::copy(bytes, sixteen.begin());
  const Money amount = amount_from(sixteen);
  if (amount > kAmountMax || -kAmountMax > amount) fail_all();
  return ok_ ? amount : Money();
}

Hash FieldReader::hash() {
  Hash hash{};
  std::ranges::copy(raw(hash.size()), hash.begin());
  return hash;
}

TokenUsage FieldReader::usage() {
  TokenUsage usage;
  usage.input_fresh = number();
  usage.cache_read = number();
  usage.cache_write = number();
  usage.output = number();
  usage.reasoning = number();
  return usage;
}

KeyWriter& KeyWriter::text(std::string_view value) {
  CHECK(value.find('\0') == value.npos);
  return raw(value).raw(std::string_view("\0", 1));
}

KeyWriter& KeyWriter::number(int64_t value) {
  CHECK(value >= 0);
  const auto bytes = big_endian(value);
  return raw({bytes.data(), bytes.size()});
}

KeyWriter& KeyWriter::raw(std::string_view bytes) {
  if (long_.empty() && size_ + bytes.size() <= short_.size()) {
    bytes.copy(short_.data() + size_, bytes.size());
    size_ += bytes.size();
    return *this;
  }
  if (long_.empty()) long_.assign(short_.data(), size_);
  long_.append(bytes);
  return *this;
}

int64_t number_of(Month month) {
  return int64_t{int{month.year()}} * 12 + static_cast<unsigned>(month.month()) - 1;
}

std::string after_prefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  CHECK(!prefix.empty());
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

}  // namespace feilun::ledger
