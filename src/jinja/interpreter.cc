#include "jinja/interpreter.h"

#include "jinja/arithmetic.h"
#include "jinja/attributes.h"
#include "jinja/compare.h"
#include "jinja/filters.h"
#include "jinja/predicates.h"
#include "jinja/print.h"
#include "jinja/sequence.h"

namespace feilun::jinja {
namespace {

// Nodes being walked at once. A macro that calls itself meets it long before the stack ends.
constexpr int kWalkDepthMax = 800;

}  // namespace

std::unexpected<Error> Interpreter::located(Position at, Error error) {
  if (!located_) error.message = fmt::format("line {}, column {}: {}", at.line, at.column, error.message);
  located_ = true;
  return std::unexpected(std::move(error));
}

Result<void> Interpreter::enter(Position at) {
  if (auto work = heap().spend_work(1); !work) return located(at, std::move(work).error());
  if (depth_ >= kWalkDepthMax) {
    return located(at, {ErrorCode::kInvalidArgument, "the template calls itself too deeply"});
  }
  ++depth_;
  return {};
}

Result<Value> Interpreter::evaluate(const Expression& expression) {
  TRY(enter(expression.at));
  auto value = std::visit([this](const auto& node) { return visit(node); }, expression.node);
  --depth_;
  if (!value) return located(expression.at, std::move(value).error());
  return value;
}

Result<Value> Interpreter::visit(const Name& node) {
  TRY(heap().spend_reading(scope_->variables.size()));
  if (const Value* value = scope_->find(node.name)) return *value;
  return heap().undefined(fmt::format("'{}' is undefined", node.name));
}

Result<Value> Interpreter::visit(const ListLiteral& node) {
  std::vector<Value> items;
  for (const auto& item : node.items) items.push_back(TRY(evaluate(*item)));
  return heap().list(std::move(items), node.tuple ? List::Type::kTuple : List::Type::kList);
}

Result<Value> Interpreter::visit(const DictLiteral& node) {
  const Value dict = TRY(heap().dict());
  for (const auto& [key_node, value_node] : node.entries) {
    const Value key = TRY(evaluate(*key_node));
    const Value value = TRY(evaluate(*value_node));
    TRY(heap().set(dict.as_dict(), key, value));
  }
  return dict;
}

Result<Value> Interpreter::visit(const Attribute& node) {
  const Value object = TRY(evaluate(*node.object));
  return get_attribute(context_, object, node.name);
}

Result<Value> Interpreter::visit(const Subscript& node) {
  const Value object = TRY(evaluate(*node.object));
  const Value index = TRY(evaluate(*node.index));
  return get_item(context_, object, index);
}

Result<std::optional<Integer>> Interpreter::slice_bound(const ExpressionPtr& bound) {
  if (bound == nullptr) return std::nullopt;
  const Value value = TRY(evaluate(*bound));
  if (value.is_none()) return std::nullopt;
  if (!value.is_integral()) {
    return fail(ErrorCode::kInvalidArgument, "the bounds of a slice must be integers, not {}",
                type_name(value));
  }
  return value.as_integer();
}

Result<Value> Interpreter::visit(const Slice& node) {
  const Value object = TRY(evaluate(*node.object));
  SliceBounds bounds;
  bounds.start = TRY(slice_bound(node.start));
  bounds.stop = TRY(slice_bound(node.stop));
  bounds.step = TRY(slice_bound(node.step));
  if (object.is_undefined()) return fail(ErrorCode::kInvalidArgument, "{}", describe_undefined(object));
  return slice(heap(), object, bounds);
}

Result<Arguments> Interpreter::evaluate_arguments(const CallArguments& nodes) {
  Arguments arguments;
  for (const auto& node : nodes.positional) arguments.positional.push_back(TRY(evaluate(*node)));
  for (const auto& [name, node] : nodes.named) {
    const Value value = TRY(evaluate(*node));
    arguments.named.emplace_back(name, value);
  }
  if (nodes.spread != nullptr) {
    const Value list = TRY(evaluate(*nodes.spread));
    const auto* items = TRY(items_of(heap(), list));
    arguments.positional.insert(arguments.positional.end(), items->begin(), items->end());
  }
  if (nodes.spread_named != nullptr) {
    const Value dict = TRY(evaluate(*nodes.spread_named));
    if (!dict.is_dict())
      return fail(ErrorCode::kInvalidArgument, "'**' needs a dict, not a {}", type_name(dict));
    for (const auto& [key, value] : dict.as_dict().entries) {
      if (!key.is_text()) return fail(ErrorCode::kInvalidArgument, "names of arguments must be strings");
      arguments.named.emplace_back(key.bytes(), value);
    }
  }
  return arguments;
}

Result<Value> Interpreter::call(const Value& callee, const Arguments& arguments) {
  if (callee.is_callable()) return callee.as_callable().call(arguments);
  if (callee.is_loop() && callee.as_loop().recurse != nullptr)
    return callee.as_loop().recurse->call(arguments);
  if (callee.is_undefined()) return fail(ErrorCode::kInvalidArgument, "{}", describe_undefined(callee));
  return fail(ErrorCode::kInvalidArgument, "a {} cannot be called", type_name(callee));
}

Result<Value> Interpreter::visit(const Call& node) {
  const Value callee = TRY(evaluate(*node.callee));
  const Arguments arguments = TRY(evaluate_arguments(node.arguments));
  return call(callee, arguments);
}

Result<Value> Interpreter::apply_filter(std::string_view name, const Value& subject,
                                        const CallArguments& nodes) {
  const Builtin* filter = find_filter(name);
  if (filter == nullptr) return fail(ErrorCode::kInvalidArgument, "unknown filter '{}'", name);
  const Arguments arguments = TRY(evaluate_arguments(nodes));
  return invoke(*filter, context_, subject, arguments);
}

Result<Value> Interpreter::visit(const FilterCall& node) {
  const Value subject = TRY(evaluate(*node.subject));
  return apply_filter(node.name, subject, node.arguments);
}

Result<Value> Interpreter::visit(const TestCall& node) {
  const Value subject = TRY(evaluate(*node.subject));
  const Builtin* test = find_test(node.name);
  if (test == nullptr) return fail(ErrorCode::kInvalidArgument, "unknown test '{}'", node.name);
  const Arguments arguments = TRY(evaluate_arguments(node.arguments));
  const Value holds = TRY(invoke(*test, context_, subject, arguments));
  return Value(is_true(holds) != node.negated);
}

Result<Value> Interpreter::visit(const Unary& node) {
  const Value operand = TRY(evaluate(*node.operand));
  if (node.op == UnaryOperator::kNot) return Value(!is_true(operand));
  if (node.op == UnaryOperator::kMinus) return negate(operand);
  const Value negated = TRY(negate(operand));
  return negate(negated);
}

Result<Value> Interpreter::visit(const Binary& node) {
  const Value left = TRY(evaluate(*node.left));
  const Value right = TRY(evaluate(*node.right));
  return calculate(heap(), node.op, left, right);
}

Result<Value> Interpreter::visit(const Logical& node) {
  const Value left = TRY(evaluate(*node.left));
  if (is_true(left) != node.is_and) return left;
  return evaluate(*node.right);
}

Result<Value> Interpreter::visit(const Concatenation& node) {
  Text joined;
  for (const auto& part : node.parts) {
    const Value value = TRY(evaluate(*part));
    TRY(print(heap(), value, joined));
  }
  return heap().text(std::move(joined));
}

Result<bool> Interpreter::compare(Comparator op, const Value& left, const Value& right) {
  switch (op) {
    case Comparator::kEqual:
      return equal(heap(), left, right);
    case Comparator::kNotEqual: {
      const bool same = TRY(equal(heap(), left, right));
      return !same;
    }
    case Comparator::kIn:
      return contains(heap(), right, left);
    case Comparator::kNotIn: {
      const bool inside = TRY(contains(heap(), right, left));
      return !inside;
    }
    default:
      break;
  }
  const std::partial_ordering ordering = TRY(order(heap(), left, right));
  switch (op) {
    case Comparator::kLess:
      return ordering < 0;
    case Comparator::kLessEqual:
      return ordering <= 0;
    case Comparator::kGreater:
      return ordering > 0;
    default:
      return ordering >= 0;
  }
}

Result<Value> Interpreter::visit(const Comparison& node) {
  Value left = TRY(evaluate(*node.first));
  for (const auto& [op, operand] : node.rest) {
    const Value right = TRY(evaluate(*operand));
    const bool holds = TRY(compare(op, left, right));
    if (!holds) return Value(false);
    left = right;
  }
  return Value(true);
}

Result<Value> Interpreter::visit(const Conditional& node) {
  const Value condition = TRY(evaluate(*node.condition));
  if (is_true(condition)) return evaluate(*node.then);
  if (node.otherwise != nullptr) return evaluate(*node.otherwise);
  return heap().undefined("the inline if has no value, for its condition is false and it has no else");
}

}  // namespace feilun::jinja
