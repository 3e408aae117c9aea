#pragma once

#include "jinja/ast.h"
#include "jinja/builtin.h"
#include "jinja/scope.h"

namespace feilun::jinja {

/// Walks a syntax tree once, writing to one text. Errors carry the place of the innermost node.
class Interpreter {
 public:
  Interpreter(Context& context, Scope* globals, Text& out) : context_(context), scope_(globals), out_(&out) {}

  Result<void> render(const Block& block);

 private:
  /// How a statement ends: with the next one, or by leaving or restarting the loop around it.
  enum class Flow : uint8_t { kNext, kBreak, kContinue };

  // interpreter.cc: expressions
  Result<Value> evaluate(const Expression& expression);
  Result<Value> visit(const TextLiteral& node) { return Value(&node.text); }
  Result<Value> visit(const Constant& node) { return node.value; }
  Result<Value> visit(const Name& node);
  Result<Value> visit(const ListLiteral& node);
  Result<Value> visit(const DictLiteral& node);
  Result<Value> visit(const Attribute& node);
  Result<Value> visit(const Subscript& node);
  Result<Value> visit(const Slice& node);
  Result<Value> visit(const Call& node);
  Result<Value> visit(const FilterCall& node);
  Result<Value> visit(const TestCall& node);
  Result<Value> visit(const Unary& node);
  Result<Value> visit(const Binary& node);
  Result<Value> visit(const Logical& node);
  Result<Value> visit(const Concatenation& node);
  Result<Value> visit(const Comparison& node);
  Result<Value> visit(const Conditional& node);
  Result<bool> compare(Comparator op, const Value& left, const Value& right);
  Result<std::optional<Integer>> slice_bound(const ExpressionPtr& bound);
  Result<Arguments> evaluate_arguments(const CallArguments& arguments);
  Result<Value> call(const Value& callee, const Arguments& arguments);
  Result<Value> apply_filter(std::string_view name, const Value& subject, const CallArguments& arguments);

  // statements.cc
  Result<Flow> run(const Block& block);
  Result<Flow> run(const Statement& statement);
  Result<Flow> visit(const Data& node);
  Result<Flow> visit(const Output& node);
  Result<Flow> visit(const If& node);
  Result<Flow> visit(const For& node);
  Result<Flow> visit(const Set& node);
  Result<Flow> visit(const SetBlock& node);
  Result<Flow> visit(const With& node);
  Result<Flow> visit(const Macro& node);
  Result<Flow> visit(const CallBlock& node);
  Result<Flow> visit(const FilterBlock& node);
  Result<Flow> visit(const Scoped& node);
  Result<Flow> visit(const Break&) { return Flow::kBreak; }
  Result<Flow> visit(const Continue&) { return Flow::kContinue; }
  Result<Flow> loop_over(const For& node, const Value& items, size_t depth0);
  Result<const Callable*> recursion(const For& node, size_t depth0);
  Result<const std::vector<Value>*> filtered(const For& node, const std::vector<Value>& items);
  Result<void> assign(const Target& target, const Value& value);
  Result<void> assign_variable(std::string_view name, const Value& value);
  /// Runs a block with variables of its own and gives its text.
  Result<Value> capture(const Block& block);
  Result<Value> apply_chain(const FilterChain& chain, Value text);

  // macros.cc
  Result<Value> make_macro(std::string name, const Signature& signature, const Block& body);
  Result<Value> run_macro(const Signature& signature, const Block& body, Scope* definition,
                          const Arguments& arguments);
  Result<void> bind(const Signature& signature, const Arguments& arguments);

  Heap& heap() { return context_.heap; }
  /// Adds the place to an error that has none yet.
  std::unexpected<Error> located(Position at, Error error);
  Result<void> enter(Position at);

  Context& context_;
  Scope* scope_;
  Text* out_;
  int depth_ = 0;
  bool located_ = false;
};

}  // namespace feilun::jinja
