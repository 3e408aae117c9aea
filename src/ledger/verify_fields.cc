#include "ledger/verify_fields.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/civil_time.h"

namespace feilun::ledger::audit {
namespace {

constexpr int128 kTrillion = 1'000'000'000'000;
constexpr int128 kAmountMax = kTrillion * kTrillion * kTrillion * 10;
constexpr int64_t kTokensMaxPerClass = 1'000'000'000'000;
constexpr int64_t kTextMax = 256;
constexpr int64_t kAccountMax = 300;
constexpr int64_t kJsonMax = 1 << 23;
constexpr int64_t kPostingsMax = 256;
constexpr unsigned __int128 kSignBit = static_cast<unsigned __int128>(1) << 127;

}  // namespace

const Value& Fields::get(std::string_view name) const {
  const auto place = std::ranges::find_if(values_, [&](const Value& v) { return v.spec->name == name; });
  CHECK(place != values_.end());
  return *place;
}

void FieldsReader::spoil(const char* what) {
  if (fault_.empty()) fault_ = what;
  rest_ = {};
}

void FieldsReader::end() {
  if (!rest_.empty()) spoil("bytes follow its end");
}

std::string_view FieldsReader::raw(size_t count) {
  if (count > rest_.size()) {
    spoil("it ends too early");
    return {};
  }
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

uint8_t FieldsReader::byte(uint8_t max) {
  const std::string_view one = raw(1);
  const uint8_t value = one.empty() ? 0 : static_cast<uint8_t>(one[0]);
  if (value > max) spoil("a field has a value that does not exist");
  return value;
}

int64_t FieldsReader::number(int64_t max) {
  uint64_t value = 0;
  for (int shift = 0; shift < 63; shift += 7) {
    const uint8_t next = byte();
    value |= static_cast<uint64_t>(next & 0x7f) << shift;
    if (next >= 0x80) continue;
    if (next == 0 && shift > 0) spoil("a number is longer than it must be");
    if (value > static_cast<uint64_t>(max)) spoil("a number is out of bounds");
    return fault_.empty() ? static_cast<int64_t>(value) : 0;
  }
  spoil("a number is too long");
  return 0;
}

std::string_view FieldsReader::checked_text(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(text, is_control) || !simdjson::validate_utf8(text.data(), text.size())) {
    spoil("a text is not UTF-8 without control characters");
  }
  return text;
}

std::string FieldsReader::text(size_t max) {
  const auto size = static_cast<size_t>(number(INT64_MAX));
  if (size > max) spoil("a text is too long");
  return std::string(checked_text(fault_.empty() ? raw(size) : std::string_view()));
}

std::string FieldsReader::currency() {
  const std::string_view letters = raw(3);
  if (!std::ranges::all_of(letters, [](char c) { return c >= 'A' && c <= 'Z'; })) {
    spoil("a currency is not three capitals");
  }
  return std::string(letters);
}

int64_t FieldsReader::big_endian() {
  uint64_t value = 0;
  for (const char c : raw(8)) value = value << 8 | static_cast<uint8_t>(c);
  return static_cast<int64_t>(value);
}

int128 FieldsReader::amount(int128 max) {
  const std::string_view bytes = raw(16);
  if (bytes.size() != 16) return 0;
  const int128 value = read_amount(bytes);
  if (value < -max || value > max) spoil("an amount is out of bounds");
  return value;
}

std::vector<Posting> FieldsReader::postings() {
  std::vector<Posting> all(static_cast<size_t>(number(kPostingsMax)));
  for (Posting& posting : all) {
    posting.account = text(kAccountMax);
    posting.currency = currency();
    posting.amount = amount(kAmountMax);
    if (posting.amount == 0) spoil("a posting of nothing");
  }
  return all;
}

void FieldsReader::read(Value& value, const FieldSpec& spec) {
  const auto bound = [&](int64_t own) { return spec.max == 0 ? own : static_cast<int64_t>(spec.max); };
  switch (spec.type) {
    case Type::kByte:
      value.number = byte(static_cast<uint8_t>(bound(255)));
      return;
    case Type::kNumber:
      value.number = number(bound(INT64_MAX));
      return;
    case Type::kText:
      value.text = text(static_cast<size_t>(bound(kTextMax)));
      return;
    case Type::kJson:
      value.text = raw(static_cast<size_t>(number(kJsonMax)));
      return;
    case Type::kCurrency:
      value.text = currency();
      return;
    case Type::kTime:
      value.number = big_endian();
      return;
    case Type::kAmount:
      value.amount = amount(spec.max == 0 ? kAmountMax : spec.max);
      return;
    case Type::kUsage:
      for (int64_t& tokens : value.usage.tokens) tokens = number(bound(kTokensMaxPerClass));
      return;
    case Type::kPostings:
      value.postings = postings();
      return;
    case Type::kIntervals:
      while (!rest_.empty()) {
        Interval& interval = value.intervals.emplace_back();
        interval = {.from = big_endian(), .until = big_endian()};
        interval.number = number(INT64_MAX);
      }
      return;
    case Type::kRest:
      value.text = std::exchange(rest_, {});
      return;
  }
}

Fields FieldsReader::read(std::span<const FieldSpec> specs) {
  Fields fields;
  for (const FieldSpec& spec : specs) {
    Value value{.spec = &spec};
    read(value, spec);
    fields.add(std::move(value));
  }
  return fields;
}

Fields FieldsReader::read_key(std::span<const FieldSpec> specs) {
  Fields fields;
  for (const FieldSpec& spec : specs) {
    Value value{.spec = &spec};
    if (spec.type == Type::kText) {
      value.text = raw(std::min(rest_.find('\0'), rest_.size()));
      if (raw(1).empty()) spoil("a text of its key has no end");
    } else if (spec.type == Type::kNumber) {
      value.number = big_endian();
    } else {
      read(value, spec);
    }
    fields.add(std::move(value));
  }
  return fields;
}

ValueBytes& ValueBytes::raw(std::string_view bytes) {
  bytes_.append(bytes);
  return *this;
}

ValueBytes& ValueBytes::byte(int64_t value) {
  bytes_.push_back(static_cast<char>(value));
  return *this;
}

ValueBytes& ValueBytes::number(int64_t value) {
  auto left = static_cast<uint64_t>(value);
  for (; left > 0x7f; left >>= 7) byte(static_cast<int64_t>((left & 0x7f) | 0x80));
  return byte(static_cast<int64_t>(left));
}

ValueBytes& ValueBytes::text(std::string_view value) {
  return number(static_cast<int64_t>(value.size())).raw(value);
}

ValueBytes& ValueBytes::time(int64_t value) {
  append_big_endian(bytes_, value);
  return *this;
}

ValueBytes& ValueBytes::amount(int128 value) {
  const auto flipped = static_cast<unsigned __int128>(value) ^ kSignBit;
  for (int shift = 120; shift >= 0; shift -= 8) bytes_.push_back(static_cast<char>(flipped >> shift));
  return *this;
}

ValueBytes& ValueBytes::usage(const Classes& value) {
  for (const int64_t tokens : value.tokens) number(tokens);
  return *this;
}

ValueBytes& ValueBytes::postings(const std::vector<Posting>& values) {
  number(std::ssize(values));
  for (const Posting& posting : values) text(posting.account).raw(posting.currency).amount(posting.amount);
  return *this;
}

KeyBytes& KeyBytes::text(std::string_view value) {
  return raw(value).raw(std::string_view("\0", 1));
}

KeyBytes& KeyBytes::number(int64_t value) {
  append_big_endian(bytes_, value);
  return *this;
}

KeyBytes& KeyBytes::raw(std::string_view bytes) {
  bytes_.append(bytes);
  return *this;
}

bool read_pico(std::string_view text, int128& value) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > 37) return false;
  value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  if (negative) value = -value;
  return true;
}

std::string in_json(std::string_view text) {
  std::string spelled = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') spelled.push_back('\\');
    spelled.push_back(c);
  }
  return spelled + '"';
}

void append_big_endian(std::string& out, int64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(static_cast<uint64_t>(value) >> shift));
  }
}

int128 read_amount(std::string_view sixteen_bytes) {
  unsigned __int128 value = 0;
  for (const char c : sixteen_bytes) value = value << 8 | static_cast<uint8_t>(c);
  return static_cast<int128>(value ^ kSignBit);
}

std::string shown(std::string_view text) {
  constexpr size_t kShownMax = 300;
  const bool whole = text.size() <= kShownMax;
  if (!whole) text = text.substr(0, kShownMax);
  const bool readable = simdjson::validate_utf8(text.data(), text.size());
  std::string out = "'";
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x20 || byte == 0x7f || (byte > 0x7f && !readable)) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out.push_back(c);
    }
  }
  return out + (whole ? "'" : "…'");
}

std::string shown(const Value& value) {
  const auto time = [](int64_t micros) {
    return micros == INT64_MAX ? "for ever" : to_iso8601(WallTime(std::chrono::microseconds(micros)));
  };
  switch (value.spec->type) {
    case Type::kByte:
    case Type::kNumber:
      return std::to_string(value.number);
    case Type::kTime:
      return time(value.number);
    case Type::kAmount:
      return Money::pico(value.amount).to_string();
    case Type::kUsage:
      return fmt::format("{} tokens", fmt::join(value.usage.tokens, "+"));
    case Type::kPostings: {
      std::string all;
      for (const Posting& posting : value.postings) {
        all += fmt::format("{}{} {} {}", all.empty() ? "" : ", ", shown(posting.account),
                           Money::pico(posting.amount).to_string(), posting.currency);
      }
      return all.empty() ? "nothing" : all;
    }
    case Type::kIntervals: {
      std::string all;
      for (const Interval& in : value.intervals) {
        all += fmt::format("{}version {} from {} until {}", all.empty() ? "" : ", ", in.number, time(in.from),
                           time(in.until));
      }
      return all.empty() ? "none" : all;
    }
    default:
      return shown(value.text);
  }
}

}  // namespace feilun::ledger::audit
