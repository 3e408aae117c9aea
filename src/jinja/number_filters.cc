#include <charconv>
#include <cmath>

#include "jinja/arithmetic.h"
#include "jinja/compare.h"
#include "jinja/filters.h"
#include "jinja/print.h"
#include "jinja/text_operations.h"

namespace feilun::jinja {
namespace {

// Python's int(float) and int(str); nothing when the value is no number.
std::optional<Integer> integer_of(double number) {
  if (!std::isfinite(number) || std::abs(number) > 1e37) return std::nullopt;
  return static_cast<Integer>(number);
}

std::optional<double> float_of(const Text& text) {
  const Text stripped = strip(text, Side::kBoth);
  std::string_view digits = stripped.bytes();
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
  return number;
}

std::optional<Integer> integer_of(const Text& text, int base) {
  const Text stripped = strip(text, Side::kBoth);
  std::string_view digits = stripped.bytes();
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const bool hexadecimal = base == 16 && (digits.starts_with("0x") || digits.starts_with("0X"));
  if (hexadecimal) digits.remove_prefix(2);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (error == std::errc() && end == digits.data() + digits.size() && !digits.empty()) return number;
  const std::optional<double> whole = base == 10 ? float_of(text) : std::nullopt;
  return whole ? integer_of(*whole) : std::nullopt;
}

Result<Value> to_int(Invocation& call) {
  const Value fallback = call.has(0) ? call.at(0) : Value::integer(0);
  if (call.self.is_undefined()) return fail(ErrorCode::kInvalidArgument, "{}", describe_undefined(call.self));
  std::optional<Integer> number;
  if (call.self.is_integral()) number = call.self.as_integer();
  if (call.self.is_float()) number = integer_of(call.self.as_float());
  if (call.self.is_text()) {
    const int64_t base = TRY(call.integer(1, 10));
    if (base < 2 || base > 36) return fail(ErrorCode::kInvalidArgument, "the base must be 2 to 36");
    number = integer_of(call.self.as_text(), static_cast<int>(base));
  }
  return number ? Value(*number) : fallback;
}

Result<Value> to_float(Invocation& call) {
  if (call.self.is_undefined()) return fail(ErrorCode::kInvalidArgument, "{}", describe_undefined(call.self));
  if (call.self.is_number()) return Value(call.self.as_float());
  const std::optional<double> number = call.self.is_text() ? float_of(call.self.as_text()) : std::nullopt;
  if (number) return Value(*number);
  return call.has(0) ? call.at(0) : Value(0.0);
}

Result<Value> absolute(Invocation& call) {
  const std::partial_ordering sign = TRY(order(call.heap(), call.self, Value::integer(0)));
  if (sign < 0) return negate(call.self);
  return call.self.is_bool() ? Value(call.self.as_integer()) : call.self;
}

Result<Value> round_to(Invocation& call) {
  if (!call.self.is_number())
    return fail(ErrorCode::kInvalidArgument, "cannot round a {}", type_name(call.self));
  const int64_t precision = std::clamp<int64_t>(TRY(call.integer(0, 0)), -300, 300);
  const std::string_view method = call.has(1) ? TRY(call.text(1))->bytes() : "common";
  const double number = call.self.as_float();
  if (method == "common" && precision >= 0) {
    // The decimal digits of the exact value, rounded half to even, are Python's round().
    if (call.self.is_integral()) return call.self.is_bool() ? Value(call.self.as_integer()) : call.self;
    const std::string digits = fmt::format("{:.{}f}", number, precision);
    double rounded = number;
    std::from_chars(digits.data(), digits.data() + digits.size(), rounded);
    return Value(rounded);
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  if (method == "common") {
    const double rounded = std::nearbyint(number * scale) / scale;
    return call.self.is_integral() && integer_of(rounded) ? Value(*integer_of(rounded)) : Value(rounded);
  }
  if (method == "ceil") return Value(std::ceil(number * scale) / scale);
  if (method == "floor") return Value(std::floor(number * scale) / scale);
  return fail(ErrorCode::kInvalidArgument, "the method to round by must be common, ceil or floor");
}

Result<Value> filesizeformat(Invocation& call) {
  const Arguments none;
  const Value number =
      call.self.is_text() ? TRY(invoke(*find_filter("float"), call.context, call.self, none)) : call.self;
  if (!number.is_number())
    return fail(ErrorCode::kInvalidArgument, "a {} is no number of bytes", type_name(number));
  const bool binary = call.flag(0, false);
  const double base = binary ? 1024 : 1000;
  const double bytes = number.as_float();
  if (bytes == 1) return call.heap().text("1 Byte", true);
  if (bytes < base) return call.heap().text(fmt::format("{:.0f} Bytes", bytes), true);
  double unit = base;
  static constexpr std::string_view kLetters = "kMGTPEZY";
  size_t i = 0;
  while (i + 1 < kLetters.size() && bytes >= unit * base) unit *= base, ++i;
  const char letter = binary && i == 0 ? 'K' : kLetters[i];
  return call.heap().text(fmt::format("{:.1f} {}{}", bytes / unit, letter, binary ? "iB" : "B"), true);
}

}  // namespace

const std::vector<Builtin>& number_filters() {
  static const std::vector<Builtin> kFilters = {
      {"int", {"default", "base"}, 0, to_int},
      {"float", {"default"}, 0, to_float},
      {"abs", {}, 0, absolute},
      {"round", {"precision", "method"}, 0, round_to},
      {"filesizeformat", {"binary"}, 0, filesizeformat},
  };
  return kFilters;
}

}  // namespace feilun::jinja
