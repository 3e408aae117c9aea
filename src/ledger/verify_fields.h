#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"

/// The fields of docs/formats/ledger.md as data: what an entry of some kind or a row of some table consists
/// of is a list of names and types (verify_format.h), read, written and shown by the code here. Written
/// against the document and not against the writer, with which it shares none of this.
namespace feilun::ledger::audit {

enum class Type : uint8_t {
  kByte,
  kNumber,
  kText,
  kJson,
  kCurrency,
  kTime,
  kAmount,
  kUsage,
  kPostings,
  kIntervals,  ///< to the end: price versions, each its from, until and number
  kRest,       ///< bytes to the end
};

/// A field as the document lists it. `max` bounds bytes, numbers, amounts and the length of texts.
struct FieldSpec {
  const char* name;
  Type type;
  int128 max = 0;  ///< 0: the type's own bound
};

struct Posting {
  std::string account;
  std::string currency;
  int128 amount = 0;
  friend bool operator==(const Posting&, const Posting&) = default;
};

/// A sum of tokens and what comes to it: it stops at 2⁶⁰.
inline int64_t token_sum(int64_t sum, int64_t more) {
  return std::min(sum + more, int64_t{1} << 60);
}

/// Fresh input, cache read, cache write, output, reasoning.
struct Classes {
  int64_t tokens[5] = {};
  int64_t input() const { return tokens[0] + tokens[1] + tokens[2]; }
  int64_t output() const { return tokens[3] + tokens[4]; }
  Classes& operator+=(const Classes& more) {
    for (int i = 0; i < 5; ++i) tokens[i] = token_sum(tokens[i], more.tokens[i]);
    return *this;
  }
  friend bool operator==(const Classes&, const Classes&) = default;
};

struct Interval {
  int64_t from = 0;
  int64_t until = 0;
  int64_t number = 0;
  friend bool operator==(const Interval&, const Interval&) = default;
};

/// What was read for one FieldSpec; only the member of its type means anything.
struct Value {
  const FieldSpec* spec = nullptr;
  int64_t number = 0;  ///< byte, number, time
  int128 amount = 0;
  std::string text;  ///< text, json, currency, rest
  Classes usage;
  std::vector<Posting> postings;
  std::vector<Interval> intervals;
  friend bool operator==(const Value&, const Value&) = default;
};

/// Values by their names. Asking for a name that the list has not is a bug.
class Fields {
 public:
  void add(Value value) { values_.push_back(std::move(value)); }
  const std::vector<Value>& all() const { return values_; }
  const std::string& text(std::string_view name) const { return get(name).text; }
  int64_t number(std::string_view name) const { return get(name).number; }
  int128 amount(std::string_view name) const { return get(name).amount; }
  const Classes& usage(std::string_view name) const { return get(name).usage; }
  const std::vector<Posting>& postings(std::string_view name) const { return get(name).postings; }

 private:
  const Value& get(std::string_view name) const;
  std::vector<Value> values_;
};

/// Takes fields off the front, accepting only what the writer may write: shortest numbers, texts of UTF-8
/// without control characters, counts and amounts within the documented bounds. After the first fault
/// everything reads as empty and fault() says what it was.
class FieldsReader {
 public:
  explicit FieldsReader(std::string_view bytes) : rest_(bytes) {}

  Fields read(std::span<const FieldSpec> specs);
  /// The fields of a state row's key, which are spelled so that they sort.
  Fields read_key(std::span<const FieldSpec> specs);
  uint8_t byte(uint8_t max = 255);
  std::vector<Posting> postings();
  /// Reads as a fault from here on.
  void spoil(const char* what);
  /// Spoils when bytes are left.
  void end();
  const std::string& fault() const { return fault_; }

 private:
  void read(Value& value, const FieldSpec& spec);
  std::string_view raw(size_t count);
  int64_t number(int64_t max);
  std::string text(size_t max);
  std::string_view checked_text(std::string_view text);
  std::string currency();
  int64_t big_endian();
  int128 amount(int128 max);

  std::string_view rest_;
  std::string fault_;
};

/// Fields one after the other, as values of the state have them.
class ValueBytes {
 public:
  ValueBytes& byte(int64_t value);
  ValueBytes& number(int64_t value);  ///< 0 or more
  ValueBytes& text(std::string_view value);
  ValueBytes& raw(std::string_view bytes);
  ValueBytes& time(int64_t value);
  ValueBytes& amount(int128 value);
  ValueBytes& usage(const Classes& value);
  ValueBytes& postings(const std::vector<Posting>& values);
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// A key of the state: the table's letter, then fields that sort.
class KeyBytes {
 public:
  explicit KeyBytes(char table) : bytes_(1, table) {}
  KeyBytes& text(std::string_view value);
  KeyBytes& number(int64_t value);
  KeyBytes& raw(std::string_view bytes);
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// "-5" as whole pico-units, at most 37 characters; false for anything else.
bool read_pico(std::string_view text, int128& value);
/// A text without control characters as a JSON string.
std::string in_json(std::string_view text);
void append_big_endian(std::string& out, int64_t value);
/// 16 bytes as the format keeps an amount.
int128 read_amount(std::string_view sixteen_bytes);
/// For a person: "5.00", "2026-11-23T09:00:00Z", "'proj_1'". Bytes that cannot be shown are escaped.
std::string shown(const Value& value);
std::string shown(std::string_view text);

}  // namespace feilun::ledger::audit
