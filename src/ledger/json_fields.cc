#include "ledger/json_fields.h"

#include <charconv>

#include "ledger/limits.h"

namespace feilun::ledger {
namespace {

using simdjson::dom::element;

std::optional<Money> pico_from(std::string_view digits) {
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  if (digits.empty() || digits.size() > 38) return std::nullopt;
  int128 pico = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return std::nullopt;
    pico = pico * 10 + (digit - '0');
  }
  if (pico > kAmountMax.pico()) return std::nullopt;
  return Money::pico(negative ? -pico : pico);
}

}  // namespace

JsonFields::JsonFields(std::string_view json) : parser_(std::make_shared<simdjson::dom::parser>()) {
  const auto parsed = parser_->parse(simdjson::padded_string(json));
  ok_ = parsed.get(object_) == simdjson::SUCCESS && object_.is_object();
}

JsonFields::JsonFields(element object) : object_(object), ok_(object.is_object()) {}

std::optional<element> JsonFields::find(std::string_view name) {
  element found;
  if (!ok_ || object_[name].get(found) != simdjson::SUCCESS) return std::nullopt;
  return found;
}

template <typename T>
T JsonFields::value(std::string_view name, T otherwise) {
  const auto found = find(name);
  if (!found) return otherwise;
  T read{};
  if (found->get(read) == simdjson::SUCCESS) return read;
  ok_ = false;
  return otherwise;
}

std::string JsonFields::text(std::string_view name) {
  return std::string(value<std::string_view>(name, {}));
}

int64_t JsonFields::number(std::string_view name, int64_t otherwise) {
  return value<int64_t>(name, otherwise);
}

bool JsonFields::flag(std::string_view name) {
  return value<bool>(name, false);
}

Money JsonFields::money(std::string_view name) {
  const auto amount = pico_from(value<std::string_view>(name, "0"));
  if (!amount) ok_ = false;
  return amount.value_or(Money());
}

std::optional<WallTime> JsonFields::time(std::string_view name) {
  if (!find(name)) return std::nullopt;
  return WallTime(std::chrono::microseconds(number(name)));
}

std::vector<element> JsonFields::elements(std::string_view name) {
  const auto found = find(name);
  if (!found) return {};
  simdjson::dom::array array;
  ok_ = found->get(array) == simdjson::SUCCESS;
  return ok_ ? std::vector<element>(array.begin(), array.end()) : std::vector<element>();
}

std::vector<std::string> JsonFields::texts(std::string_view name) {
  std::vector<std::string> all;
  for (const element each : elements(name)) {
    std::string_view one;
    if (each.get(one) != simdjson::SUCCESS) ok_ = false;
    all.emplace_back(one);
  }
  return all;
}

std::vector<int64_t> JsonFields::numbers(std::string_view name) {
  std::vector<int64_t> all;
  for (const element each : elements(name)) {
    int64_t one = 0;
    if (each.get(one) != simdjson::SUCCESS) ok_ = false;
    all.push_back(one);
  }
  return all;
}

std::vector<JsonFields> JsonFields::objects(std::string_view name) {
  std::vector<JsonFields> all;
  for (const element each : elements(name)) {
    all.emplace_back(each);
    all.back().parser_ = parser_;
    ok_ = ok_ && all.back().ok();
  }
  return all;
}

JsonFields JsonFields::object(std::string_view name) {
  const auto found = find(name);
  JsonFields one = found ? JsonFields(*found) : JsonFields();
  one.parser_ = parser_;
  ok_ = ok_ && one.ok();
  return one;
}

}  // namespace feilun::ledger
