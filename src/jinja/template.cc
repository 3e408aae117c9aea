#include "jinja/template.h"

#include "jinja/globals.h"
#include "jinja/interpreter.h"
#include "jinja/json_value.h"
#include "jinja/parser.h"

namespace feilun::jinja {
namespace {

constexpr size_t kSourceBytesMax = 1 << 20;

Heap::Limits limits_for(const Variables& variables) {
  uint64_t input = variables.json_object.size();
  for (const auto& [name, json] : variables.json) input += json.size();
  Heap::Limits limits;
  limits.work += 16 * input;
  limits.memory_bytes += 48 * input;
  return limits;
}

// Names of variables come from the caller; the heap keeps those that the JSON object brings.
Result<void> define(Context& context, Scope& scope, const Variables& variables) {
  for (std::string_view name : variables.nothing) scope.set(name, Value::none());
  for (const auto& [name, flag] : variables.flags) scope.set(name, Value(flag));
  for (const auto& [name, text] : variables.text) scope.set(name, TRY(context.heap.text(text, true)));
  for (const auto& [name, json] : variables.json) scope.set(name, TRY(value_from_json(context.heap, json)));
  if (variables.json_object.empty()) return {};
  const Value object = TRY(value_from_json(context.heap, variables.json_object));
  if (!object.is_dict())
    return fail(ErrorCode::kInvalidArgument, "the template's variables must be a JSON object");
  TRY(context.heap.spend_work(object.as_dict().entries.size() * object.as_dict().entries.size() / 16));
  for (const auto& [key, value] : object.as_dict().entries) scope.set(key.bytes(), value);
  return {};
}

}  // namespace

Result<Template> Template::compile(std::string_view source) {
  if (source.size() > kSourceBytesMax) {
    return fail(ErrorCode::kInvalidArgument, "the template is longer than {} bytes", kSourceBytesMax);
  }
  return Template(TRY(parse_template(source)));
}

Result<Text> Template::render(const Variables& variables) const {
  Heap heap(limits_for(variables));
  Context context{heap, variables.now};
  Scope* const globals = TRY(heap.scope(nullptr));
  TRY(define_globals(context, *globals));
  Scope* const top = TRY(heap.scope(globals));
  TRY(define(context, *top, variables));
  Text out;
  TRY(Interpreter(context, top, out).render(block_));
  return out;
}

}  // namespace feilun::jinja
