#include "jinja/compare.h"
#include "jinja/interpreter.h"
#include "jinja/print.h"
#include "jinja/sequence.h"

namespace feilun::jinja {

Result<void> Interpreter::render(const Block& block) {
  TRY(run(block));
  return {};
}

Result<Interpreter::Flow> Interpreter::run(const Block& block) {
  for (const auto& statement : block) {
    const Flow flow = TRY(run(*statement));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::run(const Statement& statement) {
  TRY(enter(statement.at));
  auto flow = std::visit([this](const auto& node) { return visit(node); }, statement.node);
  --depth_;
  if (!flow) return located(statement.at, std::move(flow).error());
  return flow;
}

Result<Interpreter::Flow> Interpreter::visit(const Data& node) {
  TRY(heap().spend_memory(node.text.size()));
  out_->append(node.text);
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::visit(const Output& node) {
  const Value value = TRY(evaluate(*node.value));
  TRY(print(heap(), value, *out_));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::visit(const If& node) {
  for (const auto& [condition, body] : node.branches) {
    const Value holds = TRY(evaluate(*condition));
    if (is_true(holds)) return run(body);
  }
  return run(node.otherwise);
}

Result<void> Interpreter::assign_variable(std::string_view name, const Value& value) {
  TRY(heap().spend_reading(scope_->variables.size()));
  TRY(heap().spend_memory(sizeof(std::pair<std::string_view, Value>)));
  scope_->set(name, value);
  return {};
}

Result<void> Interpreter::assign(const Target& target, const Value& value) {
  if (target.parts.empty() && target.attribute.empty()) return assign_variable(target.name, value);
  if (target.parts.empty()) {
    const Value* object = scope_->find(target.name);
    if (object == nullptr || object->kind() != Kind::kNamespace) {
      return located(target.at,
                     {ErrorCode::kInvalidArgument,
                      fmt::format("'{}' is not a namespace, its attributes cannot be set", target.name)});
    }
    const Value key = TRY(heap().text(target.attribute, true));
    return heap().set(object->as_namespace().attributes, key, value);
  }
  const auto* items = TRY(items_of(heap(), value));
  if (items->size() != target.parts.size()) {
    return located(target.at,
                   {ErrorCode::kInvalidArgument, fmt::format("{} values cannot be unpacked into {} names",
                                                             items->size(), target.parts.size())});
  }
  for (size_t i = 0; i < items->size(); ++i) TRY(assign(target.parts[i], (*items)[i]));
  return {};
}

Result<Interpreter::Flow> Interpreter::visit(const Set& node) {
  const Value value = TRY(evaluate(*node.value));
  TRY(assign(node.target, value));
  return Flow::kNext;
}

Result<Value> Interpreter::capture(const Block& block) {
  Text text;
  Text* const outer_out = std::exchange(out_, &text);
  Scope* const outer_scope = scope_;
  scope_ = TRY(heap().scope(scope_));
  auto flow = run(block);
  scope_ = outer_scope;
  out_ = outer_out;
  if (!flow) return std::unexpected(std::move(flow).error());
  return heap().text(std::move(text));
}

Result<Value> Interpreter::apply_chain(const FilterChain& chain, Value text) {
  for (const auto& [at, filter] : chain.filters) {
    auto filtered_text = apply_filter(filter.first, text, filter.second);
    if (!filtered_text) return located(at, std::move(filtered_text).error());
    text = *filtered_text;
  }
  return text;
}

Result<Interpreter::Flow> Interpreter::visit(const SetBlock& node) {
  const Value text = TRY(capture(node.body));
  const Value value = TRY(apply_chain(node.filters, text));
  TRY(assign(node.target, value));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::visit(const FilterBlock& node) {
  const Value text = TRY(capture(node.body));
  const Value value = TRY(apply_chain(node.filters, text));
  TRY(print(heap(), value, *out_));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::visit(const Scoped& node) {
  Scope* const outer = scope_;
  scope_ = TRY(heap().scope(outer));
  auto flow = run(node.body);
  scope_ = outer;
  return flow;
}

Result<Interpreter::Flow> Interpreter::visit(const With& node) {
  Scope* const outer = scope_;
  Scope* const inner = TRY(heap().scope(outer));
  // All values are computed outside before the first name is bound.
  std::vector<Value> values;
  for (const auto& binding : node.bindings) values.push_back(TRY(evaluate(*binding.second)));
  scope_ = inner;
  for (size_t i = 0; i < values.size(); ++i) TRY(assign(node.bindings[i].first, values[i]));
  auto flow = run(node.body);
  scope_ = outer;
  return flow;
}

Result<const std::vector<Value>*> Interpreter::filtered(const For& node, const std::vector<Value>& items) {
  Scope* const outer = scope_;
  scope_ = TRY(heap().scope(outer));
  std::vector<Value> kept;
  for (const Value& item : items) {
    TRY(assign(node.target, item));
    const Value holds = TRY(evaluate(*node.condition));
    if (is_true(holds)) kept.push_back(item);
  }
  scope_ = outer;
  const Value list = TRY(heap().list(std::move(kept)));
  return &list.as_list().items;
}

Result<Interpreter::Flow> Interpreter::visit(const For& node) {
  const Value items = TRY(evaluate(*node.items));
  return loop_over(node, items, 0);
}

Result<Interpreter::Flow> Interpreter::loop_over(const For& node, const Value& iterated, size_t depth0) {
  const std::vector<Value>* items = TRY(items_of(heap(), iterated));
  if (node.condition != nullptr) items = TRY(filtered(node, *items));
  if (items->empty()) {
    Scope* const outer = scope_;
    scope_ = TRY(heap().scope(outer));
    auto flow = run(node.otherwise);
    scope_ = outer;
    return flow;
  }
  Loop* const loop = TRY(heap().loop());
  loop->items = items;
  loop->depth0 = depth0;
  if (node.recursive) loop->recurse = TRY(recursion(node, depth0 + 1));
  Scope* const outer = scope_;
  Scope* inner = TRY(heap().scope(outer));
  for (loop->index0 = 0; loop->index0 < items->size(); ++loop->index0) {
    // A macro made in the body keeps its variables; otherwise the scope serves the next round.
    if (inner->captured) inner = TRY(heap().scope(outer));
    inner->variables.clear();
    scope_ = inner;
    TRY(assign(node.target, (*items)[loop->index0]));
    TRY(assign_variable("loop", Value(loop)));
    const Flow flow = TRY(run(node.body));
    if (flow == Flow::kBreak) break;
  }
  scope_ = outer;
  return Flow::kNext;
}

Result<const Callable*> Interpreter::recursion(const For& node, size_t depth0) {
  Scope* const outer = scope_;
  const auto again = [this, &node, depth0, outer](const Arguments& arguments) -> Result<Value> {
    if (arguments.positional.size() != 1 || !arguments.named.empty()) {
      return fail(ErrorCode::kInvalidArgument, "loop() takes what it shall visit");
    }
    Text text;
    Text* const outer_out = std::exchange(out_, &text);
    Scope* const outer_scope = std::exchange(scope_, outer);
    auto flow = loop_over(node, arguments.positional[0], depth0);
    scope_ = outer_scope;
    out_ = outer_out;
    if (!flow) return std::unexpected(std::move(flow).error());
    return heap().text(std::move(text));
  };
  const Value callable = TRY(heap().callable("loop", again));
  return &callable.as_callable();
}

}  // namespace feilun::jinja
