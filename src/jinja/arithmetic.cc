#include "jinja/arithmetic.h"

#include <cmath>

#include "jinja/print.h"

namespace feilun::jinja {
namespace {

std::unexpected<Error> overflow() {
  return fail(ErrorCode::kInvalidArgument, "the number is too large");
}
std::unexpected<Error> division_by_zero() {
  return fail(ErrorCode::kInvalidArgument, "division by zero");
}

std::unexpected<Error> unsupported(BinaryOperator op, const Value& left, const Value& right) {
  static constexpr std::string_view kSigns[] = {"+", "-", "*", "/", "//", "%", "**"};
  const Value& undefined = left.is_undefined() ? left : right;
  if (undefined.is_undefined()) return fail(ErrorCode::kInvalidArgument, "{}", describe_undefined(undefined));
  return fail(ErrorCode::kInvalidArgument, "'{}' does not work on a {} and a {}",
              kSigns[static_cast<size_t>(op)], type_name(left), type_name(right));
}

Integer floor_divide(Integer a, Integer b) {
  const Integer quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

Result<Value> integer_power(Integer base, Integer exponent) {
  if (exponent < 0) {
    if (base == 0) return division_by_zero();
    return Value(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  Integer result = 1;
  while (exponent > 0) {
    if (exponent % 2 == 1 && __builtin_mul_overflow(result, base, &result)) return overflow();
    exponent /= 2;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return overflow();
  }
  return Value(result);
}

Result<Value> calculate_integers(BinaryOperator op, Integer a, Integer b) {
  constexpr Integer kLowest = static_cast<Integer>(1) << 127;
  Integer result = 0;
  switch (op) {
    case BinaryOperator::kAdd:
      return __builtin_add_overflow(a, b, &result) ? Result<Value>(overflow()) : Value(result);
    case BinaryOperator::kSubtract:
      return __builtin_sub_overflow(a, b, &result) ? Result<Value>(overflow()) : Value(result);
    case BinaryOperator::kMultiply:
      return __builtin_mul_overflow(a, b, &result) ? Result<Value>(overflow()) : Value(result);
    case BinaryOperator::kPower:
      return integer_power(a, b);
    default:
      break;
  }
  if (b == 0) return division_by_zero();
  if (op == BinaryOperator::kDivide) return Value(static_cast<double>(a) / static_cast<double>(b));
  if (a == kLowest && b == -1) return overflow();
  if (op == BinaryOperator::kFloorDivide) return Value(floor_divide(a, b));
  return Value(a - floor_divide(a, b) * b);
}

Result<Value> calculate_floats(BinaryOperator op, double a, double b) {
  switch (op) {
    case BinaryOperator::kAdd:
      return Value(a + b);
    case BinaryOperator::kSubtract:
      return Value(a - b);
    case BinaryOperator::kMultiply:
      return Value(a * b);
    case BinaryOperator::kPower:
      return Value(std::pow(a, b));
    default:
      break;
  }
  if (b == 0) return division_by_zero();
  if (op == BinaryOperator::kDivide) return Value(a / b);
  if (op == BinaryOperator::kFloorDivide) return Value(std::floor(a / b));
  const double remainder = std::fmod(a, b);
  return Value(remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder);
}

Result<Value> repeat(Heap& heap, const Value& sequence, Integer count) {
  const size_t unit =
      sequence.is_text() ? sequence.as_text().memory() : sequence.as_list().items.size() * sizeof(Value);
  const auto times = static_cast<uint64_t>(count < 0 ? 0 : std::min<Integer>(count, 1 << 30));
  // The budget bounds the product; asking first keeps the allocation from being made at all.
  TRY(heap.spend_memory(unit * times));
  TRY(heap.spend_work(times));
  if (sequence.is_text()) {
    Text text;
    for (uint64_t i = 0; i < times && unit > 0; ++i) text.append(sequence.as_text());
    return heap.text(std::move(text));
  }
  std::vector<Value> items;
  const auto& source = sequence.as_list().items;
  for (uint64_t i = 0; i < times && unit > 0; ++i) items.insert(items.end(), source.begin(), source.end());
  return heap.list(std::move(items), sequence.as_list().type);
}

Result<Value> add_texts(Heap& heap, const Text& left, const Text& right) {
  TRY(heap.spend_memory(left.memory() + right.memory()));
  Text sum = left;
  sum.append(right);
  return heap.text(std::move(sum));
}

bool is_plain_list(const Value& value) {
  return value.is_list() &&
         (value.as_list().type == List::Type::kList || value.as_list().type == List::Type::kTuple);
}

Result<Value> add_lists(Heap& heap, const List& left, const List& right) {
  TRY(heap.spend_memory((left.items.size() + right.items.size()) * sizeof(Value)));
  std::vector<Value> items = left.items;
  items.insert(items.end(), right.items.begin(), right.items.end());
  return heap.list(std::move(items), left.type);
}

}  // namespace

Result<Value> calculate(Heap& heap, BinaryOperator op, const Value& left, const Value& right) {
  if (left.is_integral() && right.is_integral())
    return calculate_integers(op, left.as_integer(), right.as_integer());
  if (left.is_number() && right.is_number()) return calculate_floats(op, left.as_float(), right.as_float());
  if (op == BinaryOperator::kAdd) {
    if (left.is_text() && right.is_text()) return add_texts(heap, left.as_text(), right.as_text());
    if (is_plain_list(left) && is_plain_list(right) && left.as_list().type == right.as_list().type) {
      return add_lists(heap, left.as_list(), right.as_list());
    }
  }
  if (op == BinaryOperator::kMultiply) {
    if ((left.is_text() || is_plain_list(left)) && right.is_integral())
      return repeat(heap, left, right.as_integer());
    if (left.is_integral() && (right.is_text() || is_plain_list(right)))
      return repeat(heap, right, left.as_integer());
  }
  if (op == BinaryOperator::kModulo && left.is_text()) return format_percent(heap, left.as_text(), right);
  return unsupported(op, left, right);
}

Result<Value> negate(const Value& operand) {
  if (operand.is_float()) return Value(-operand.as_float());
  if (operand.is_integral()) {
    Integer result = 0;
    if (__builtin_sub_overflow(Integer{0}, operand.as_integer(), &result)) return overflow();
    return Value(result);
  }
  if (operand.is_undefined()) return fail(ErrorCode::kInvalidArgument, "{}", describe_undefined(operand));
  return fail(ErrorCode::kInvalidArgument, "a {} has no sign", type_name(operand));
}

}  // namespace feilun::jinja
