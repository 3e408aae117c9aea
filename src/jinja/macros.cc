#include <algorithm>

#include "jinja/interpreter.h"
#include "jinja/print.h"

// A macro is a function that returns the text its body writes. Its body sees its parameters and, behind
// them, the variables of the place where it was defined, as they are when it runs.
namespace feilun::jinja {

Result<Value> Interpreter::make_macro(std::string name, const Signature& signature, const Block& body) {
  for (Scope* scope = scope_; scope != nullptr; scope = scope->parent) scope->captured = true;
  Scope* const definition = scope_;
  return heap().callable(std::move(name), [this, &signature, &body, definition](const Arguments& arguments) {
    return run_macro(signature, body, definition, arguments);
  });
}

Result<Value> Interpreter::run_macro(const Signature& signature, const Block& body, Scope* definition,
                                     const Arguments& arguments) {
  Text text;
  Text* const outer_out = std::exchange(out_, &text);
  Scope* const outer_scope = scope_;
  scope_ = TRY(heap().scope(definition));
  TRY(bind(signature, arguments));
  TRY(run(body));
  scope_ = outer_scope;
  out_ = outer_out;
  return heap().text(std::move(text));
}

Result<void> Interpreter::bind(const Signature& signature, const Arguments& arguments) {
  const auto& parameters = signature.parameters;
  std::vector<std::optional<Value>> values(parameters.size());
  const size_t by_position = std::min(arguments.positional.size(), parameters.size());
  for (size_t i = 0; i < by_position; ++i) values[i] = arguments.positional[i];
  std::vector<Value> more(arguments.positional.begin() + static_cast<ptrdiff_t>(by_position),
                          arguments.positional.end());
  if (!more.empty() && !signature.takes_varargs) {
    return fail(ErrorCode::kInvalidArgument, "the macro takes at most {} arguments", parameters.size());
  }
  const Value kwargs = TRY(heap().dict());
  for (const auto& [name, value] : arguments.named) {
    const auto place =
        static_cast<size_t>(std::ranges::find(parameters, name, &Parameter::name) - parameters.begin());
    if (place < parameters.size()) {
      if (values[place])
        return fail(ErrorCode::kInvalidArgument, "the macro got its argument '{}' twice", name);
      values[place] = value;
    } else if (name == "caller" && signature.takes_caller) {
      TRY(assign_variable("caller", value));
    } else if (signature.takes_kwargs) {
      const Value key = TRY(heap().text(name, true));
      TRY(heap().set(kwargs.as_dict(), key, value));
    } else {
      return fail(ErrorCode::kInvalidArgument, "the macro takes no argument '{}'", name);
    }
  }
  if (signature.takes_varargs) {
    const Value varargs = TRY(heap().list(std::move(more), List::Type::kTuple));
    TRY(assign_variable("varargs", varargs));
  }
  if (signature.takes_kwargs) TRY(assign_variable("kwargs", kwargs));
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!values[i] && parameters[i].fallback != nullptr) values[i] = TRY(evaluate(*parameters[i].fallback));
    if (!values[i])
      values[i] = heap().undefined(fmt::format("parameter '{}' was not provided", parameters[i].name));
    TRY(assign_variable(parameters[i].name, *values[i]));
  }
  return {};
}

Result<Interpreter::Flow> Interpreter::visit(const Macro& node) {
  const Value macro = TRY(make_macro(node.name, node.signature, node.body));
  TRY(assign_variable(node.name, macro));
  return Flow::kNext;
}

Result<Interpreter::Flow> Interpreter::visit(const CallBlock& node) {
  const Value caller = TRY(make_macro("caller", node.signature, node.body));
  const auto& call_node = std::get<Call>(node.call->node);
  const Value callee = TRY(evaluate(*call_node.callee));
  Arguments arguments = TRY(evaluate_arguments(call_node.arguments));
  arguments.named.emplace_back("caller", caller);
  const Value text = TRY(call(callee, arguments));
  TRY(print(heap(), text, *out_));
  return Flow::kNext;
}

}  // namespace feilun::jinja
