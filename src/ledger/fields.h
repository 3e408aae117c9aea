#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/civil_time.h"
#include "base/clock.h"
#include "base/money.h"
#include "base/result.h"
#include "ledger/bytes.h"
#include "pricing/price.h"

/// The basic fields of the ledger's formats (docs/formats/ledger.md), written and read: journal payloads and
/// the values of state rows are made of them.
namespace feilun::ledger {

using pricing::TokenUsage;

class FieldWriter {
 public:
  FieldWriter& number(int64_t value);  ///< ≥ 0, base-128 varint
  FieldWriter& byte(uint8_t value);
  FieldWriter& text(std::string_view value);
  FieldWriter& raw(std::string_view bytes);
  FieldWriter& time(WallTime value);
  FieldWriter& amount(Money value);
  FieldWriter& usage(const TokenUsage& value);
  /// Room for so many bytes, when they are known to come.
  void reserve(size_t size) { bytes_.reserve(size); }
  const std::string& bytes() const { return bytes_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads what a FieldWriter wrote. A read beyond the end, or of what cannot be, gives a zero and makes ok()
/// false for good: readers of rows check once, at the end.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}
  int64_t number();
  uint8_t byte();
  std::string text();
  std::string_view raw(size_t size);
  WallTime time();
  Money amount();  ///< within ±kAmountMax
  Hash hash();
  TokenUsage usage();
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  void fail_all() {
    ok_ = false;
    rest_ = {};
  }
  std::string_view rest_;
  bool ok_ = true;
};

/// A key of the state: the table's letter, then fields that sort as their values do. Usual keys need no
/// memory but its own, because every request looks for some twenty rows.
class KeyWriter {
 public:
  explicit KeyWriter(char table) : size_(1) { short_[0] = table; }
  KeyWriter& text(std::string_view value);  ///< no zero byte in it; ended by one
  KeyWriter& number(int64_t value);         ///< 8 bytes, big-endian
  KeyWriter& raw(std::string_view bytes);
  /// As long as the writer is there and nothing is added.
  std::string_view view() const { return long_.empty() ? std::string_view(short_.data(), size_) : long_; }
  std::string take() const { return std::string(view()); }

 private:
  std::array<char, 192> short_;
  size_t size_;
  std::string long_;  ///< all of it, when it is not short
};

/// A month as keys and values have it: year × 12 + month − 1.
int64_t number_of(Month month);

/// The least key above all keys that begin with `prefix`.
std::string after_prefix(std::string prefix);

}  // namespace feilun::ledger
