#include "jinja/predicates.h"

#include "jinja/arithmetic.h"
#include "jinja/compare.h"
#include "jinja/filters.h"
#include "jinja/print.h"
#include "jinja/unicode.h"

namespace feilun::jinja {
namespace {

bool is_iterable(const Value& v) {
  return v.is_list() || v.is_dict() || v.is_text() || v.is_undefined() || v.is_loop();
}

bool is_sequence(const Value& v) {
  return (v.is_list() && v.as_list().indexable()) || v.is_dict() || v.is_text() || v.is_undefined();
}

// The characters with case all have the wanted one, and there is at least one.
Result<Value> has_case(Invocation& call, bool (*wanted)(char32_t), bool (*other)(char32_t)) {
  const Value text = TRY(to_text(call.heap(), call.self));
  bool found = false;
  for (size_t at = 0; at < text.bytes().size();) {
    const CodePoint c = code_point_at(text.bytes(), at);
    if (other(c.value)) return Value(false);
    found = found || wanted(c.value);
    at += c.size;
  }
  return Value(found);
}

Result<Value> remainder_is_zero(Invocation& call, const Value& divisor, Integer wanted) {
  const Value remainder = TRY(calculate(call.heap(), BinaryOperator::kModulo, call.self, divisor));
  const bool same = TRY(equal(call.heap(), remainder, Value(wanted)));
  return Value(same);
}

template <auto Holds>
Result<Value> ordered(Invocation& call) {
  const std::partial_ordering ordering = TRY(order(call.heap(), call.self, call.at(0)));
  return Value(Holds(ordering));
}

Result<Value> is_equal(Invocation& call) {
  const bool same = TRY(equal(call.heap(), call.self, call.at(0)));
  return Value(same);
}

Result<Value> is_not_equal(Invocation& call) {
  const bool same = TRY(equal(call.heap(), call.self, call.at(0)));
  return Value(!same);
}

Result<Value> is_in(Invocation& call) {
  const bool inside = TRY(contains(call.heap(), call.at(0), call.self));
  return Value(inside);
}

template <auto Holds>
Result<Value> simple(Invocation& call) {
  return Value(Holds(call.self));
}

constexpr auto kLess = [](std::partial_ordering o) { return o < 0; };
constexpr auto kLessEqual = [](std::partial_ordering o) { return o <= 0; };
constexpr auto kGreater = [](std::partial_ordering o) { return o > 0; };
constexpr auto kGreaterEqual = [](std::partial_ordering o) { return o >= 0; };

}  // namespace

const Builtin* find_test(std::string_view name) {
  static const std::vector<Builtin> kTests = {
      {"defined", {}, 0, simple<[](const Value& v) { return !v.is_undefined(); }>},
      {"undefined", {}, 0, simple<[](const Value& v) { return v.is_undefined(); }>},
      {"none", {}, 0, simple<[](const Value& v) { return v.is_none(); }>},
      {"string", {}, 0, simple<[](const Value& v) { return v.is_text(); }>},
      {"mapping", {}, 0, simple<[](const Value& v) { return v.is_dict(); }>},
      {"iterable", {}, 0, simple<is_iterable>},
      {"sequence", {}, 0, simple<is_sequence>},
      {"number", {}, 0, simple<[](const Value& v) { return v.is_number(); }>},
      {"integer", {}, 0, simple<[](const Value& v) { return v.kind() == Kind::kInteger; }>},
      {"float", {}, 0, simple<[](const Value& v) { return v.is_float(); }>},
      {"boolean", {}, 0, simple<[](const Value& v) { return v.is_bool(); }>},
      {"true", {}, 0, simple<[](const Value& v) { return v.is_bool() && v.as_bool(); }>},
      {"false", {}, 0, simple<[](const Value& v) { return v.is_bool() && !v.as_bool(); }>},
      {"callable",
       {},
       0,
       simple<[](const Value& v) { return v.is_callable() || v.is_loop() || v.is_undefined(); }>},
      {"escaped", {}, 0, simple<[](const Value&) { return false; }>},
      {"filter",
       {},
       0,
       simple<[](const Value& v) { return v.is_text() && find_filter(v.bytes()) != nullptr; }>},
      {"test", {}, 0, simple<[](const Value& v) { return v.is_text() && find_test(v.bytes()) != nullptr; }>},
      {"odd", {}, 0, [](Invocation& c) { return remainder_is_zero(c, Value::integer(2), 1); }},
      {"even", {}, 0, [](Invocation& c) { return remainder_is_zero(c, Value::integer(2), 0); }},
      {"divisibleby", {"num"}, 1, [](Invocation& c) { return remainder_is_zero(c, c.at(0), 0); }},
      {"upper", {}, 0, [](Invocation& c) { return has_case(c, is_upper, is_lower); }},
      {"lower", {}, 0, [](Invocation& c) { return has_case(c, is_lower, is_upper); }},
      {"in", {"seq"}, 1, is_in},
      {"sameas",
       {"other"},
       1,
       [](Invocation& c) -> Result<Value> {
         const bool same_kind = c.self.kind() == c.at(0).kind();
         return same_kind ? is_equal(c) : Result<Value>(Value(false));
       }},
      {"eq", {"other"}, 1, is_equal},
      {"equalto", {"other"}, 1, is_equal},
      {"==", {"other"}, 1, is_equal},
      {"ne", {"other"}, 1, is_not_equal},
      {"!=", {"other"}, 1, is_not_equal},
      {"lt", {"other"}, 1, ordered<kLess>},
      {"lessthan", {"other"}, 1, ordered<kLess>},
      {"<", {"other"}, 1, ordered<kLess>},
      {"le", {"other"}, 1, ordered<kLessEqual>},
      {"<=", {"other"}, 1, ordered<kLessEqual>},
      {"gt", {"other"}, 1, ordered<kGreater>},
      {"greaterthan", {"other"}, 1, ordered<kGreater>},
      {">", {"other"}, 1, ordered<kGreater>},
      {"ge", {"other"}, 1, ordered<kGreaterEqual>},
      {">=", {"other"}, 1, ordered<kGreaterEqual>},
  };
  return find_builtin(kTests, name);
}

}  // namespace feilun::jinja
